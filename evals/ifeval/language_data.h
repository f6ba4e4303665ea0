// Trained data that two kinds of IFEval checks need. It is found at run time by the caller and
// given by argument; for a part that is missing a library stands in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "evals/ifeval/langdetect.h"
#include "evals/ifeval/punkt.h"

namespace assay::evals {

/// Immutable once loaded; any number of threads may read it.
struct LanguageData {
  std::optional<PunktModel> punkt;           // without: ICU's sentence boundaries
  std::optional<LanguageProfiles> profiles;  // without: CLD2
  std::string status;                        // one line for the run's provenance
};

/// From the shared JSON form: language code -> profile. Throws: Error(kInput) naming `source`.
LanguageProfiles parse_language_profiles(std::string_view profiles_json, LanguageTables tables,
                                         std::string_view source);

/// Sentences by the trained model, or by ICU's rules for English when there is none.
std::vector<std::u32string> sentences(const LanguageData* data, std::u32string_view text);

}  // namespace assay::evals
