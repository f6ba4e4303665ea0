// Finds and loads the trained data that IFEval's checks need (docs/ifeval.md), so that evals/
// itself reads no file.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "evals/ifeval/language_data.h"
#include "suites/suite.h"

namespace assay::suites {

/// Folders in the order of search. In each, the sentence model is `punkt_english.json`; the
/// language profiles are either `langdetect_profiles.json.gz` with `langdetect_tables.json`, or the
/// package langdetect's own `profiles/` with `utils/messages.properties`.
struct LanguageFolders {
  std::filesystem::path named;                // the user's; "" for none; must exist and hold a part
  std::vector<std::filesystem::path> others;  // need not exist
};

/// ASSAY_LANGUAGE_DATA, then `<data>/language_data`, then the distribution's python3-langdetect.
LanguageFolders language_folders(const std::filesystem::path& data);

/// Each part from the first folder that has it; a part that is nowhere stays empty. `status` is one
/// sentence that names files and digests, or the stand-in. The result may be shared by threads.
/// Throws: Error(kInput) naming the file that cannot be used.
std::unique_ptr<const evals::LanguageData> load_language_data(const LanguageFolders& folders);

/// Whether the scorer of the benchmark reads the data.
bool uses_language_data(std::string_view benchmark);
/// What the tasks of a suite need, null for nothing: for `RunnerOptions::scoring.language`, and its
/// status for `RunnerOptions::language_data`. Throws: as `load_language_data`.
std::unique_ptr<const evals::LanguageData> language_data_for(const Suite& suite,
                                                             const std::filesystem::path& data);

}  // namespace assay::suites
