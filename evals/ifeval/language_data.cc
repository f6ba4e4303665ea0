#include "evals/ifeval/language_data.h"

#include <unicode/brkiter.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/python_text.h"

namespace assay::evals {

LanguageProfiles parse_language_profiles(std::string_view profiles_json, LanguageTables tables,
                                         std::string_view source) {
  const Json all = parse_json(profiles_json, source);
  std::vector<std::string> names;
  for (const auto& [name, profile] : all.as_object()) names.push_back(name);
  std::sort(names.begin(), names.end());
  if (names.empty()) throw_input("{}: no profiles", source);
  LanguageProfiles out(std::move(tables), names);
  for (std::size_t i = 0; i < names.size(); ++i) out.add(i, all.at(names[i]), source);
  out.finish();
  return out;
}

std::vector<std::u32string> sentences(const LanguageData* data, std::u32string_view text) {
  std::vector<std::u32string> out;
  if (data != nullptr && data->punkt) {
    for (const std::u32string_view s : punkt_sentences(*data->punkt, text)) out.emplace_back(s);
    return out;
  }
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createSentenceInstance(icu::Locale::getEnglish(), status));
  if (U_FAILURE(status) != 0) return out;
  const icu::UnicodeString whole = icu::UnicodeString::fromUTF8(to_utf8(text));
  breaks->setText(whole);
  std::int32_t start = breaks->first();
  for (std::int32_t end = breaks->next(); end != icu::BreakIterator::DONE; end = breaks->next()) {
    std::string piece;
    whole.tempSubStringBetween(start, end).toUTF8String(piece);
    const std::u32string stripped = to_code_points(python_strip(piece));
    if (!stripped.empty()) out.push_back(stripped);
    start = end;
  }
  return out;
}

}  // namespace assay::evals
