// Any bytes as zip, tar or packed tar: what is unpacked stays within the limits and the folder,
// under one name each, whichever reader looks.
#include <algorithm>
#include <string>

#include "base/text.h"
#include "datasets/archive.h"
#include "datasets/limits.h"
#include "tests/fuzz/archive_bytes.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  using test::tar_bytes;
  return {"",
          tar_bytes({{"data/a.json", "{\"x\": 1}"}, {"data/b.json", "[2]"}}, ""),
          tar_bytes({{"data/a.json", "{\"x\": 1}"}}, "gzip"),
          tar_bytes({{"data/../../a.json", "{}"}}, ""),
          tar_bytes({{"/etc/passwd", "{}"}}, ""),
          tar_bytes({{"data/a.json", std::string(3 << 20, ' ')}}, "gzip"),
          tar_bytes({{"data/a.json", "1"}, {"data/a.json", "2"}}, ""),
          test::zip_bytes({{"data/a.csv", "a,b\n1,2\n"}}, ""),
          test::zip_bytes({{"data/a.csv", "a,b\n1,2\n"}}, "secret"),
          test::zip_bytes({{"../a.csv", "a,b\n"}}, ""),
          test::link_tar_bytes("data/a.json", "/etc/passwd")};
}

namespace {

void check_members(const std::vector<datasets::ArchiveMember>& members, std::size_t packed) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    total += members[i].content.size();
    const auto parts = split(members[i].path, '/');
    ASSAY_CHECK(members[i].path.front() != '/', members[i].path);
    ASSAY_CHECK(std::find(parts.begin(), parts.end(), "..") == parts.end(), members[i].path);
    if (i > 0) ASSAY_CHECK(members[i - 1].path < members[i].path, "order");
  }
  ASSAY_CHECK(total <= datasets::kMaxContentBytes, "size");
  ASSAY_CHECK(!datasets::is_suspicious_ratio(total, packed), "ratio");
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string bytes = fuzz::text_of(data, size);
  fuzz::accepted([&] { fuzz::check_members(datasets::read_tar(bytes, "input", "data/"), size); });
  fuzz::accepted([&] {
    fuzz::check_members(datasets::read_archive_members(bytes, "input", {".json", "/a.csv"}), size);
  });
  for (const char* password : {"", "secret"}) {
    fuzz::accepted([&] {
      const std::string content = datasets::read_zip_member(bytes, "input", "data/a.csv", password);
      ASSAY_CHECK(!datasets::is_suspicious_ratio(content.size(), size), "ratio");
    });
  }
  return 0;
}
