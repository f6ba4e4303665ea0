#include "tests/support/shared_data.h"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace assay::test {

namespace fs = std::filesystem;

fs::path shared(const std::string& relative) {
  const char* chosen = std::getenv("ASSAY_SHARED");
  const fs::path path = fs::path(chosen != nullptr ? chosen : ASSAY_DEFAULT_SHARED) / relative;
  std::error_code code;
  return fs::exists(path, code) ? fs::canonical(path) : fs::path();
}

std::vector<Json> read_jsonl(const fs::path& path) {
  std::vector<Json> out;
  const std::string text = read_file_gunzip(path);
  std::size_t line_number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++line_number;
    if (trim_ascii(line).empty()) continue;
    out.push_back(parse_json(line, fmt::format("{}:{}", path.filename().string(), line_number)));
  }
  return out;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "assay-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw_environment("no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code code;
  fs::remove_all(path_, code);
}

std::string error_message(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace assay::test
