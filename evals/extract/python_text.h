// What Python's str methods and `re` classes mean on Unicode text, for rules that were published as
// Python code. Characters are code points; properties come from ICU.
// Source: the documentation of CPython 3.11's `str` and `re`; The Unicode Standard, chapters 3.13
// and 4. All functions are pure, total and thread-safe; text that is no UTF-8 reads as U+FFFD.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::evals {

/// `str.isspace()` and `\s`: Unicode white space with the controls U+001C..1F.
bool python_is_space(char32_t c);
/// `\w`: letters and numbers of every script, and `_`; no combining marks.
bool python_is_word(char32_t c);
/// `\d`: decimal digits of every script (category Nd).
bool python_is_digit(char32_t c);
/// Value 0..9 of a decimal digit of any script, -1 for everything else; `int()` accepts them.
int python_digit_value(char32_t c);
/// One character's `isupper()` and `islower()` (properties Uppercase and Lowercase).
bool python_is_upper(char32_t c);
bool python_is_lower(char32_t c);

/// `strip()`, `lstrip()`, `rstrip()`: views into `text`.
std::u32string_view python_strip(std::u32string_view text);
std::string_view python_strip(std::string_view text);
std::string_view python_lstrip(std::string_view text);
std::string_view python_rstrip(std::string_view text);
/// `not text.strip()`.
bool python_is_blank(std::u32string_view text);

/// `isupper()`, `islower()` of a whole string: at least one cased character, none of the other case
/// and no title case.
bool python_is_upper(std::u32string_view text);
bool python_is_lower(std::u32string_view text);

/// `lower()`: full mapping with the final sigma rule; U+0130 becomes two code points.
std::string python_lower(std::string_view text);
std::u32string python_lower(std::u32string_view text);

/// The key under which `re.IGNORECASE` compares two characters: simple mapping, one to one, so that
/// U+00DF never equals "ss".
char32_t python_fold(char32_t c);

/// Unicode normalisation form C.
std::string python_nfc(std::string_view text);

/// `split()` without arguments: runs of white space separate, none of the pieces is empty.
std::vector<std::u32string_view> python_split(std::u32string_view text);
/// `split(separator)`. REQUIRES: separator is not empty.
std::vector<std::u32string_view> python_split(std::u32string_view text,
                                              std::u32string_view separator);
/// `replace(from, to)`. REQUIRES: `from` is not empty.
std::u32string python_replace(std::u32string_view text, std::u32string_view from,
                              std::u32string_view to);

}  // namespace assay::evals
