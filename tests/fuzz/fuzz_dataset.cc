// Any bytes as a data file of every kind, plain or gzip: records that are accepted have the columns
// that they must have, and leaving bad ones out leaves the same good ones.
#include <string>

#include "datasets/load.h"
#include "tests/fuzz/archive_bytes.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  using test::tar_bytes;
  return {"",
          "{\"a\": 1, \"b\": \"x\"}\n\n{\"a\": 2, \"b\": null}\n{\"a\": 3}\nnot json\n",
          "a,b\n1,2\n\"x\ny\",\n1\n",
          "a\tb\nc\td\te\n",
          "b,a,a\n1,2,3\n",
          "\x1f\x8b\x08\0\0\0\0\0\0\x03",
          tar_bytes({{"data/a.json", "{\"a\": 1, \"b\": 2}"}}, ""),
          tar_bytes({{"data/a.json", "{\"a\": 1, \"b\": 2}"}}, "gzip"),
          test::zip_bytes({{"data/a.csv", "a,b\n1,2\n"}}, "secret"),
          "\xff\xfe\n{\"a\": \"\xff\"}"};
}

namespace {

void check_file(datasets::FileFormat format, const std::filesystem::path& path) {
  using datasets::FileFormat;
  const datasets::Manifest manifest{.name = "fuzz"};
  datasets::DataFile file{.path = "input", .split = "test", .format = format};
  if (format == FileFormat::kTsv) file.columns = {"a", "b"};
  if (format != FileFormat::kText) file.required = {"a", "b"};
  if (format == FileFormat::kZipCsv) file.member = "data/a.csv";
  if (format == FileFormat::kZipJson || format == FileFormat::kJsonTar) file.member = "data/";
  file.password = "secret";
  datasets::LoadedFile lenient;
  const bool some = accepted([&] { lenient = datasets::load_file(manifest, file, path, true); });
  for (const datasets::Record& record : lenient.records) {
    for (const std::string& name : file.required) {
      ASSAY_CHECK(record.fields.find(name) != nullptr, name);
    }
  }
  const bool all = accepted([&] {
    const datasets::LoadedFile strict = datasets::load_file(manifest, file, path, false);
    ASSAY_CHECK(strict.bad.empty() && strict.records.size() == lenient.records.size(), "strict");
    ASSAY_CHECK(strict.sha256 == lenient.sha256, "digest");
  });
  ASSAY_CHECK(some || !all, "leaving bad records out refused what was whole");
  ASSAY_CHECK(all == (some && lenient.bad.empty()), "bad records");
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  using datasets::FileFormat;
  const std::filesystem::path path = fuzz::input_folder().file("input", fuzz::text_of(data, size));
  for (const FileFormat format :
       {FileFormat::kJsonl, FileFormat::kJson, FileFormat::kText, FileFormat::kCsv,
        FileFormat::kTsv, FileFormat::kJsonTar, FileFormat::kZipCsv, FileFormat::kZipJson}) {
    fuzz::check_file(format, path);
  }
  return 0;
}
