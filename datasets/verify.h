// Compares the files below a data folder with their manifest, without stopping at the first fault.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/manifest.h"

namespace assay::datasets {

enum class FileState {
  kOk,       // parses; count and digest are the published ones
  kMissing,  // not there, and needed
  kUnused,   // not there, and another source of the same split is
  kWrong,    // unreadable, malformed, or another count or digest
};

struct FileCheck {
  const DataFile* file = nullptr;  // of the manifest given
  std::string path;                // as found, or as expected where missing
  FileState state = FileState::kMissing;
  std::int64_t records = 0;
  std::string sha256;  // of what was found; "" where it could not be read
  std::string reason;  // why the state is kWrong; else ""
};

/// One check a file of the manifest, in its order.
std::vector<FileCheck> verify(const Manifest& manifest, const std::filesystem::path& folder);

}  // namespace assay::datasets
