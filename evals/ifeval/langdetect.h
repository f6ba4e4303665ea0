// Language of a text by n-grams, with the draws and the rounding of langdetect 1.0.9 seeded with 0.
// Source: Shuyo 2010, "Language Detection Library for Java"; the published behaviour of the Python
// port langdetect 1.0.9. Profiles and tables are data, given by the caller.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"

namespace assay::evals {

/// Character tables of the normalisation.
struct LanguageTables {
  std::u32string latin1_excluded;                          // read as blanks
  std::unordered_map<char32_t, char32_t> cjk_first;        // ideograph -> first of its group
  std::unordered_map<std::uint64_t, char32_t> vietnamese;  // base << 32 | mark -> composed
};

/// Counts of 1- to 3-grams in many languages. Immutable; any number of threads may read it.
class LanguageProfiles {
 public:
  struct Share {
    std::uint32_t language;  // index in `languages`
    double probability;      // of the n-gram among those of its length
  };
  struct Range {
    std::uint32_t first;  // in `shares`
    std::uint32_t count;
  };

  LanguageProfiles(LanguageTables tables, std::vector<std::string> languages)
      : tables_(std::move(tables)), languages_(std::move(languages)) {}

  /// Adds the profile of language `index`: an object with `n_words` (three totals) and `freq`.
  /// Throws: Error(kInput) naming `source` when it has another form.
  void add(std::size_t index, const Json& profile, std::string_view source);
  /// Builds the index; once, after the last `add`.
  void finish();

  [[nodiscard]] const LanguageTables& tables() const { return tables_; }
  [[nodiscard]] const std::vector<std::string>& languages() const { return languages_; }
  /// Shares of a known n-gram of 1 to 3 characters, or count 0.
  [[nodiscard]] Range find(std::u32string_view gram) const;
  [[nodiscard]] const std::vector<Share>& shares() const { return shares_; }

 private:
  struct Entry {
    std::uint64_t gram;
    Share share;
  };
  LanguageTables tables_;
  std::vector<std::string> languages_;
  std::vector<Entry> entries_;  // until `finish`
  std::vector<Share> shares_;
  std::unordered_map<std::uint64_t, Range> index_;
};

struct LanguageGuess {
  std::string language;
  double probability = 0;
};

/// Languages more likely than 0.1, the likeliest first; empty when the text has no known n-gram, or
/// when none is that likely (`no_features` tells which).
struct LanguageGuesses {
  std::vector<LanguageGuess> guesses;
  bool no_features = false;
};
LanguageGuesses detect_language(const LanguageProfiles& profiles, std::u32string_view text,
                                std::uint64_t seed = 0);

/// `latin1_excluded`, `cjk_groups`, `vi_base_characters`, `vi_marks`, `vi_composed_by_mark`.
/// Throws: Error(kInput) naming `source`.
LanguageTables parse_language_tables(const Json& tables, std::string_view source);
/// The same from the form of the package: `name=value` lines with \uXXXX escapes.
LanguageTables parse_language_properties(std::string_view text, std::string_view source);

}  // namespace assay::evals
