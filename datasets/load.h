// Reads the files of a split into records, verified against the manifest.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "datasets/manifest.h"
#include "datasets/record.h"

namespace assay::datasets {

struct LoadOptions {
  bool custom = false;    // accept digests and counts that differ from the manifest
  bool skip_bad = false;  // leave malformed records out and list them instead of failing
};

struct BadRecord {
  std::string place;  // "file:line"
  std::string reason;
};

struct Loaded {
  std::vector<Record> records;  // files in manifest order, rows in file order
  std::vector<BadRecord> bad;   // only with skip_bad
  std::string sha256;           // over the content digests of the files read
  bool published = true;        // every digest equals the manifest's
};

/// Reads every file of `split` (optionally only of one group) below `folder`.
/// Throws: Error(kInput) naming file and record for a missing or malformed file, wrong password,
/// digest or count.
Loaded load_split(const Manifest& manifest, const std::string& split,
                  const std::filesystem::path& folder, const LoadOptions& options = {});

}  // namespace assay::datasets
