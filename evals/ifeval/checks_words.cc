// Checkers that look at words, letters, case and language.
#include <algorithm>

#include "base/text.h"
#include "evals/extract/python_text.h"
#include "evals/ifeval/checks.h"
#include "evals/ifeval/stand_in_language.h"
#include "evals/ifeval/word_tokens.h"

namespace assay::evals {

namespace {

Followed followed(bool holds) { return holds ? Followed::kYes : Followed::kNo; }

Followed related(const Instruction& in, std::int64_t found) {
  if (found < 0) return Followed::kUnknown;
  return followed(in.less_than ? found < in.count : found >= in.count);
}

/// "" where the detector finds nothing to go by.
std::string detected_language(const LanguageData* data, CheckText text) {
  if (data == nullptr || !data->profiles) return stand_in_language(text);
  const LanguageGuesses found = detect_language(*data->profiles, text);
  if (found.no_features) return "";
  return found.guesses.empty() ? "unknown" : found.guesses[0].language;
}

// A text without known features counts as followed, as upstream where the detector raises.
Followed in_language(const LanguageData* data, CheckText text, CheckText language) {
  const std::string best = detected_language(data, text);
  return followed(best.empty() || best == to_utf8(language));
}

}  // namespace

Followed check_existence(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  for (const std::u32string& word : in.list) {
    const std::int64_t found = count_matches(word, text, true);
    if (found <= 0) return found < 0 ? Followed::kUnknown : Followed::kNo;
  }
  return Followed::kYes;
}

Followed check_frequency(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  return related(in, count_matches(in.text, text, true));
}

Followed check_forbidden(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  for (const std::u32string& word : in.list) {
    const std::int64_t found = count_matches(word, text, true, true);
    if (found != 0) return found < 0 ? Followed::kUnknown : Followed::kNo;
  }
  return Followed::kYes;
}

Followed check_letters(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  const std::u32string lower = python_lower(text);
  return related(in, std::count(lower.begin(), lower.end(), python_lower(in.text)[0]));
}

Followed check_language(const Instruction& in, CheckText text, const LanguageData* data) {
  return in_language(data, text, in.text);
}

Followed check_sentences(const Instruction& in, CheckText text, const LanguageData* data) {
  return related(in, static_cast<std::int64_t>(sentences(data, text).size()));
}

Followed check_words(const Instruction& in, CheckText text, const LanguageData* /*data*/) {
  std::int64_t words = 0;
  bool inside = false;
  for (const char32_t c : text) {
    const bool word = python_is_word(c);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return related(in, words);
}

Followed check_capital_words(const Instruction& in, CheckText text, const LanguageData* data) {
  std::int64_t count = 0;
  for (const std::u32string& sentence : sentences(data, text)) {
    for (const std::u32string& word : word_tokens(sentence)) {
      count += python_is_upper(CheckText(word)) ? 1 : 0;
    }
  }
  return related(in, count);
}

Followed check_upper(const Instruction& /*in*/, CheckText text, const LanguageData* data) {
  return python_is_upper(text) ? in_language(data, text, U"en") : Followed::kNo;
}

Followed check_lower(const Instruction& /*in*/, CheckText text, const LanguageData* data) {
  return python_is_lower(text) ? in_language(data, text, U"en") : Followed::kNo;
}

Followed check_no_comma(const Instruction& /*in*/, CheckText text, const LanguageData* /*data*/) {
  return followed(text.find(U',') == CheckText::npos);
}

}  // namespace assay::evals
