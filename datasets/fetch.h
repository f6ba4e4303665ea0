// Brings the files of a manifest into a data folder. A file appears under its final name only when
// its digest is the published one; until then its bytes lie in "<name>.part" beside it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "datasets/https.h"
#include "datasets/manifest.h"

namespace assay::datasets {

enum class FetchState {
  kPresent,   // was there already, with the published digest
  kFetched,   // is there now
  kNoSource,  // has no address to fetch it from
  kFailed,    // every address failed; what was there before is unchanged
};

struct FetchResult {
  std::string path;  // relative to the data folder
  FetchState state = FetchState::kFailed;
  std::string reason;  // of kNoSource and kFailed
};

struct FetchOptions {
  HttpsOptions https;
  std::function<void(const std::string& url)> on_start;  // before each download; may be empty
};

/// One result a file, files of one address together. Alternative sources are fetched only where
/// the first source has no address.
/// Throws: Error(kEnvironment) when the folder cannot be written.
std::vector<FetchResult> fetch_dataset(const Manifest& manifest,
                                       const std::filesystem::path& folder,
                                       const FetchOptions& options = {});

}  // namespace assay::datasets
