// Keywords are Python regular expressions. Plain ones, nearly all, are searched as text in linear
// time; the others go to ICU with a limit on its steps, so that a verdict depends on no clock.
#include <unicode/regex.h>

#include <memory>

#include "base/text.h"
#include "evals/extract/python_text.h"
#include "evals/ifeval/instruction.h"

namespace assay::evals {

namespace {

using View = std::u32string_view;
// In ICU's units of 10,000 matcher states, over all matches in a text. A keyword with boundaries
// takes about 20 states a character: 100,000 characters fit.
constexpr int kMaxSteps = 200;
constexpr std::int32_t kMaxStack = 1 << 22;  // bytes

// Python's classes in ICU's syntax; ICU's own differ in combining marks and controls.
std::string translated(View pattern) {
  std::u32string out;
  bool in_class = false;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char32_t c = pattern[at];
    if (c != U'\\' || at + 1 == pattern.size()) {
      if (c == U'[') in_class = true;
      if (c == U']') in_class = false;
      out += c;
      continue;
    }
    const char32_t next = pattern[++at];
    const auto set = [&](View inner, View negated) {
      out += in_class ? std::u32string(inner) : std::u32string(negated) + std::u32string(inner);
      if (!in_class) out += U']';
    };
    constexpr View kWord = U"\\p{L}\\p{N}_";
    constexpr View kSpace = U"\\u0009-\\u000d\\u001c-\\u0020\\u0085\\p{Zs}\\u2028\\u2029";
    switch (next) {
      case U'w':
        set(kWord, U"[");
        break;
      case U's':
        set(kSpace, U"[");
        break;
      case U'd':
        set(U"\\p{Nd}", U"[");
        break;
      case U'b':
        out +=
            U"(?:(?<=[\\p{L}\\p{N}_])(?![\\p{L}\\p{N}_])|"
            U"(?<![\\p{L}\\p{N}_])(?=[\\p{L}\\p{N}_]))";
        break;
      default:
        out += U'\\';
        out += next;
    }
  }
  return to_utf8(out);
}

/// Counts the units of one text; ICU's own limit starts again with each match.
struct StepBudget {
  mutable int left = kMaxSteps;
};

UBool U_CALLCONV spend_step(const void* budget, std::int32_t /*steps*/) {
  return --static_cast<const StepBudget*>(budget)->left > 0;
}

std::int64_t count_with_icu(View pattern, View text, bool fold_case) {
  UErrorCode status = U_ZERO_ERROR;
  const std::uint32_t flags =
      UREGEX_UNIX_LINES | (fold_case ? std::uint32_t{UREGEX_CASE_INSENSITIVE} : 0U);
  const icu::UnicodeString subject = icu::UnicodeString::fromUTF8(to_utf8(text));
  icu::RegexMatcher matcher(icu::UnicodeString::fromUTF8(translated(pattern)), subject, flags,
                            status);
  if (U_FAILURE(status) != 0) return -1;
  const StepBudget budget;
  matcher.setMatchCallback(spend_step, &budget, status);
  matcher.setStackLimit(kMaxStack, status);
  std::int64_t count = 0;
  while (U_SUCCESS(status) != 0 && matcher.find(status) != 0) ++count;
  return U_SUCCESS(status) != 0 ? count : -1;
}

std::u32string folded(View text, bool fold_case) {
  std::u32string out(text);
  if (fold_case) {
    for (char32_t& c : out) c = python_fold(c);
  }
  return out;
}

}  // namespace

std::int64_t count_matches(View pattern, View text, bool fold_case, bool whole_words) {
  if (pattern.empty() || pattern.find_first_of(U"\\.^$*+?{}[]|()") != View::npos) {
    std::u32string whole(pattern);
    if (whole_words) whole = U"\\b" + whole + U"\\b";
    return count_with_icu(whole, text, fold_case);
  }
  const std::u32string wanted = folded(pattern, fold_case);
  const std::u32string subject = folded(text, fold_case);
  const auto word_at = [&](std::size_t i) { return i < text.size() && python_is_word(text[i]); };
  const auto boundary = [&](std::size_t i) { return (i > 0 && word_at(i - 1)) != word_at(i); };
  std::int64_t count = 0;
  for (std::size_t at = subject.find(wanted); at != std::u32string::npos;) {
    const bool counts = !whole_words || (boundary(at) && boundary(at + wanted.size()));
    count += counts ? 1 : 0;
    at = subject.find(wanted, at + (counts ? wanted.size() : 1));
  }
  return count;
}

}  // namespace assay::evals
