// Reads the files of a split into records, verified against the manifest.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/manifest.h"
#include "datasets/record.h"

namespace assay::datasets {

struct LoadOptions {
  bool custom = false;    // accept digests, counts and groups that differ from the manifest
  bool skip_bad = false;  // leave malformed records and files out and list them instead of failing
  std::string group;      // only this group; "" for all
};

struct BadRecord {
  std::string place;  // "file:line", or the file where all of it is unusable
  std::string reason;
};

struct Loaded {
  std::vector<Record> records;  // files in manifest order, rows in file order
  std::vector<BadRecord> bad;   // only with skip_bad
  std::string sha256;           // over the content digests of the files read
  bool published = true;        // every digest and count equals the manifest's
};

/// Reads every file of `split` (optionally only of one group) below `folder`. A bad record keeps
/// its row number, so that the rows after it keep their ids.
/// Throws: Error(kInput) naming file and record for a missing or malformed file, wrong password,
/// digest or count; for an unknown split or group; when no record is left.
Loaded load_split(const Manifest& manifest, const std::string& split,
                  const std::filesystem::path& folder, const LoadOptions& options = {});

/// Where `file` lies below `folder`: under its name, or with ".gz" added.
std::optional<std::filesystem::path> find_file(const DataFile& file,
                                               const std::filesystem::path& folder);

struct LoadedFile {
  std::vector<Record> records;
  std::vector<BadRecord> bad;  // only with skip_bad
  std::string sha256;          // as DataFile::sha256
};

/// Reads one file found at `path`; compares neither digest nor count.
/// Throws: Error(kInput) naming file and record.
LoadedFile load_file(const Manifest& manifest, const DataFile& file,
                     const std::filesystem::path& path, bool skip_bad = false);

/// How count or digest differ from the published ones, for messages; "" where they do not.
std::string difference(const DataFile& file, const LoadedFile& loaded);

}  // namespace assay::datasets
