#include "datasets/verify.h"

#include <algorithm>

#include "base/error.h"
#include "datasets/load.h"

namespace assay::datasets {
namespace {

bool other_source_exists(const Manifest& manifest, const DataFile& file,
                         const std::filesystem::path& folder) {
  return std::any_of(manifest.files.begin(), manifest.files.end(), [&](const DataFile& other) {
    return &other != &file && other.split == file.split && other.group == file.group &&
           (other.alternative || file.alternative) && find_file(other, folder).has_value();
  });
}

void check_content(const Manifest& manifest, const std::filesystem::path& path, FileCheck& check) {
  try {
    const LoadedFile loaded = load_file(manifest, *check.file, path);
    check.records = static_cast<std::int64_t>(loaded.records.size());
    check.sha256 = loaded.sha256;
    check.reason = difference(*check.file, loaded);
  } catch (const Error& error) {
    check.reason = error.what();
  }
  check.state = check.reason.empty() ? FileState::kOk : FileState::kWrong;
}

}  // namespace

std::vector<FileCheck> verify(const Manifest& manifest, const std::filesystem::path& folder) {
  std::vector<FileCheck> checks;
  for (const DataFile& file : manifest.files) {
    FileCheck check{.file = &file, .path = (folder / file.path).string()};
    if (const auto path = find_file(file, folder)) {
      check.path = path->string();
      check_content(manifest, *path, check);
    } else if (other_source_exists(manifest, file, folder)) {
      check.state = FileState::kUnused;
    } else if (file.alternative) {
      continue;  // the first source is reported as missing
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace assay::datasets
