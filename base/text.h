// Text helpers: UTF-8, splitting, escaping for messages, suggestions for misspelt names.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// Strict UTF-8: no surrogates, no overlong forms, at most U+10FFFF.
bool is_valid_utf8(std::string_view text);
/// Each maximal invalid part becomes one U+FFFD.
std::string replace_invalid_utf8(std::string_view text);
/// Code points of valid UTF-8; an invalid byte yields U+FFFD and advances by one.
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);
void append_utf8(std::string& out, char32_t code_point);
/// Length in bytes of the longest prefix that ends on a code point boundary and has at most `limit`
/// bytes.
std::size_t utf8_prefix(std::string_view text, std::size_t limit);

/// Text for messages and terminals: control characters, escapes and bidirectional overrides shown
/// as \xNN or \u{NNNN}; longer than `limit` bytes is cut with "...".
std::string escaped(std::string_view text, std::size_t limit = 200);

/// Parts of `text`, which must outlive them; so of no temporary string.
std::vector<std::string_view> split(std::string_view text, char separator);
std::vector<std::string_view> split(std::string_view text, std::string_view separator);
template <std::same_as<std::string> Temporary, typename Separator>
std::vector<std::string_view> split(Temporary&& text, Separator separator) = delete;
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);
/// ASCII blanks only (space, \t, \n, \r, \f, \v).
std::string_view trim_ascii(std::string_view text);
std::string to_lower_ascii(std::string_view text);

/// Whole text as a number, or nothing. No leading blanks, no locale.
std::optional<std::int64_t> parse_int(std::string_view text);
std::optional<double> parse_double(std::string_view text);

/// The closest of `candidates` by edit distance, if it is close enough to be a likely misspelling.
std::optional<std::string> closest_match(std::string_view word,
                                         std::span<const std::string> candidates);
/// " (did you mean \"x\"?)" or "".
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace assay
