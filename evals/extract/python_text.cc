#include "evals/extract/python_text.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "base/text.h"

namespace assay::evals {

namespace {

UChar32 code(char32_t c) { return static_cast<UChar32>(c); }

bool in_category(char32_t c, std::uint32_t mask) { return (U_GET_GC_MASK(code(c)) & mask) != 0; }

// Bytes taken by the code point at `at`, and the code point; an invalid byte is one U+FFFD.
struct Decoded {
  char32_t c;
  std::size_t size;
};

Decoded decode(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  const std::string_view piece = text.substr(at, size);
  if (lead < 0xC2 || piece.size() < size || !is_valid_utf8(piece)) return {0xFFFD, 1};
  return {to_code_points(piece)[0], size};
}

}  // namespace

bool python_is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0x2028 || c == 0x2029 || in_category(c, U_GC_ZS_MASK);
}

bool python_is_word(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  return in_category(c, U_GC_L_MASK | U_GC_N_MASK);
}

bool python_is_digit(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9' : in_category(c, U_GC_ND_MASK);
}

int python_digit_value(char32_t c) { return python_is_digit(c) ? u_charDigitValue(code(c)) : -1; }

bool python_is_upper(char32_t c) { return u_isUUppercase(code(c)) != 0; }

bool python_is_lower(char32_t c) { return u_isULowercase(code(c)) != 0; }

std::u32string_view python_strip(std::u32string_view text) {
  while (!text.empty() && python_is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && python_is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view python_lstrip(std::string_view text) {
  while (!text.empty()) {
    const Decoded first = decode(text, 0);
    if (!python_is_space(first.c)) break;
    text.remove_prefix(first.size);
  }
  return text;
}

std::string_view python_rstrip(std::string_view text) {
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 &&
           (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80) {
      --start;
    }
    const Decoded last = decode(text, start);
    if (start + last.size != text.size() || !python_is_space(last.c)) break;
    text.remove_suffix(last.size);
  }
  return text;
}

std::string_view python_strip(std::string_view text) { return python_rstrip(python_lstrip(text)); }

bool python_is_blank(std::u32string_view text) { return python_strip(text).empty(); }

bool python_is_upper(std::u32string_view text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (python_is_lower(c) || u_istitle(code(c)) != 0) return false;
    cased = cased || python_is_upper(c);
  }
  return cased;
}

bool python_is_lower(std::u32string_view text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (python_is_upper(c) || u_istitle(code(c)) != 0) return false;
    cased = cased || python_is_lower(c);
  }
  return cased;
}

std::string python_lower(std::string_view text) {
  bool ascii = true;
  for (const char c : text) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) return to_lower_ascii(text);
  std::string out;
  icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())))
      .toLower(icu::Locale::getRoot())
      .toUTF8String(out);
  return out;
}

std::u32string python_lower(std::u32string_view text) {
  std::u32string out(text);
  bool ascii = true;
  for (char32_t& c : out) {
    ascii = ascii && c < 0x80;
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return ascii ? out : to_code_points(python_lower(to_utf8(text)));
}

char32_t python_fold(char32_t c) {
  if (c < 0x80) {
    const char32_t lower = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    return lower;
  }
  // Characters of one lower case whose upper case is shared compare equal (long s and s); three
  // pairs have that only in the full mapping.
  switch (c) {
    case 0x1FD3:
      return 0x390;
    case 0x1FE3:
      return 0x3B0;
    case 0xFB05:
      return 0xFB06;
    default:
      break;
  }
  return static_cast<char32_t>(u_tolower(u_toupper(u_tolower(code(c)))));
}

std::string python_nfc(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status) != 0) return std::string(text);
  const icu::UnicodeString composed =
      nfc->normalize(icu::UnicodeString::fromUTF8(
                         icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size()))),
                     status);
  std::string out;
  composed.toUTF8String(out);
  return out;
}

std::vector<std::u32string_view> python_split(std::u32string_view text) {
  std::vector<std::u32string_view> out;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && python_is_space(text[at])) ++at;
    const std::size_t start = at;
    while (at < text.size() && !python_is_space(text[at])) ++at;
    if (at > start) out.push_back(text.substr(start, at - start));
  }
  return out;
}

std::vector<std::u32string_view> python_split(std::u32string_view text,
                                              std::u32string_view separator) {
  std::vector<std::u32string_view> out;
  std::size_t start = 0;
  for (;;) {
    const std::size_t found = text.find(separator, start);
    out.push_back(text.substr(start, found - start));
    if (found == std::u32string_view::npos) return out;
    start = found + separator.size();
  }
}

std::u32string python_replace(std::u32string_view text, std::u32string_view from,
                              std::u32string_view to) {
  std::u32string out;
  out.reserve(text.size());
  bool first = true;
  for (const std::u32string_view piece : python_split(text, from)) {
    if (!first) out += to;
    first = false;
    out += piece;
  }
  return out;
}

}  // namespace assay::evals
