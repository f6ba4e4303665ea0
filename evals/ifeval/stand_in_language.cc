#include "evals/ifeval/stand_in_language.h"

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace assay::evals {
namespace {

// As the published detector; a language shows long before.
constexpr std::size_t kMaxCharacters = 10'000;

/// CLD2 reads text up to the first character that is not fit for interchange.
std::u32string readable(std::u32string_view text) {
  std::u32string out(text.substr(0, kMaxCharacters));
  std::replace_if(
      out.begin(), out.end(),
      [](char32_t c) {
        return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0xD800 && c < 0xE000) ||
               (c >= 0xFDD0 && c < 0xFDF0) || (c & 0xFFFEU) == 0xFFFEU;
      },
      U' ');
  return out;
}

std::string langdetect_code(const std::string& code) {
  static constexpr std::array<std::pair<const char*, const char*>, 4> kNames = {
      {{"zh", "zh-cn"}, {"zh-Hant", "zh-tw"}, {"iw", "he"}, {"fil", "tl"}}};
  for (const auto& [from, to] : kNames) {
    if (code == from) return to;
  }
  return code;
}

}  // namespace

std::string stand_in_language(std::u32string_view text) {
  const std::string bytes = to_utf8(readable(text));
  const CLD2::CLDHints no_hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING,
                                   CLD2::UNKNOWN_LANGUAGE};
  std::array<CLD2::Language, 3> languages{};
  std::array<int, 3> percents{};
  std::array<double, 3> scores{};
  int letters = 0;
  bool reliable = false;
  int valid = 0;
  const CLD2::Language best = CLD2::ExtDetectLanguageSummaryCheckUTF8(
      bytes.data(), static_cast<int>(bytes.size()), true, &no_hints, CLD2::kCLDFlagBestEffort,
      languages.data(), percents.data(), scores.data(), nullptr, &letters, &reliable, &valid);
  if (best != CLD2::UNKNOWN_LANGUAGE) return langdetect_code(CLD2::LanguageCode(best));
  const bool has_letters = std::any_of(text.begin(), text.end(), [](char32_t c) {
    return c > 0x7F || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return has_letters ? "unknown" : "";
}

}  // namespace assay::evals
