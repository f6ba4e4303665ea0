#include "evals/extract/boxed.h"

#include <cstddef>

#include "base/text.h"

namespace assay::evals {
namespace {

constexpr std::string_view kBoxed = "\\boxed";
constexpr std::string_view kFbox = "\\fbox";

struct Box {
  std::size_t start = 0;  // of the backslash
  std::size_t after = 0;  // first byte after the command
};

std::optional<Box> last_box(std::string_view text) {
  std::size_t at = text.rfind(kBoxed);
  if (at != std::string_view::npos) return Box{at, at + kBoxed.size()};
  at = text.rfind(kFbox);
  if (at != std::string_view::npos) return Box{at, at + kFbox.size()};
  return std::nullopt;
}

/// Offset of the brace that brings the count from `from` on back to zero.
std::optional<std::size_t> closing_brace(std::string_view text, std::size_t from) {
  int depth = 0;
  for (std::size_t at = from; at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return at;
  }
  return std::nullopt;
}

/// One TeX token: a command, or one character (UTF-8), or a whole number.
std::string_view first_token(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty()) return text;
  std::size_t end = 1;
  if (text[0] == '\\') {
    while (end < text.size() && is_letter(text[end])) ++end;
    if (end == 1 && text.size() > 1) end = 2;
  } else if (is_digit(text[0])) {
    while (end < text.size() && is_digit(text[end])) ++end;
  } else {
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  }
  return text.substr(0, end);
}

}  // namespace

std::optional<std::string> boxed_upstream(std::string_view response) {
  constexpr std::string_view kSpaced = "\\boxed ";
  const std::size_t spaced = response.rfind(kSpaced);
  if (spaced != std::string_view::npos) {
    const std::string_view rest = response.substr(spaced + kSpaced.size());
    return std::string(rest.substr(0, rest.find('$')));
  }
  const std::optional<Box> box = last_box(response);
  if (!box) return std::nullopt;
  const std::optional<std::size_t> end = closing_brace(response, box->start);
  // Upstream asserts that the brace follows the command at once.
  if (!end || box->after >= response.size() || response[box->after] != '{') return std::nullopt;
  return std::string(response.substr(box->after + 1, *end - box->after - 1));
}

std::optional<std::string> boxed_opencompass(std::string_view response, bool strip_double_braces) {
  const std::optional<Box> box = last_box(response);
  if (!box || !response.substr(box->start).starts_with("\\boxed{")) return std::nullopt;
  const std::optional<std::size_t> end = closing_brace(response, box->start);
  if (!end) return std::nullopt;
  std::string_view content = response.substr(box->after + 1, *end - box->after - 1);
  const bool doubled = content.size() >= 2 && content.front() == '{' && content.back() == '}' &&
                       content.find('\n') == std::string_view::npos;
  if (strip_double_braces && doubled) content = content.substr(1, content.size() - 2);
  return std::string(content);
}

std::optional<BoxedAnswer> boxed_lenient(std::string_view response) {
  const std::optional<Box> box = last_box(response);
  if (!box) return std::nullopt;
  std::string_view rest = response.substr(box->after);
  const std::string_view tail = trim_ascii(rest);
  const bool blank = !rest.empty() && tail.data() != rest.data();
  BoxedAnswer answer;
  if (!tail.empty() && tail.front() == '{') {
    const std::optional<std::size_t> end = closing_brace(tail, 0);
    if (!end) return std::nullopt;
    answer.content = trim_ascii(tail.substr(1, *end - 1));
    if (blank) answer.leniency = "space before brace";
  } else {
    const std::string_view token = first_token(tail);
    // Closing signs are no answer: "\boxed$", "\boxed}".
    if (token.empty() || token == "$" || token == "}" || token == ".") return std::nullopt;
    answer.content = token;
    answer.leniency = "one token";
  }
  if (answer.leniency.empty() && box->start > 0 && response[box->start - 1] == '\\') {
    answer.leniency = "doubled backslash";
  }
  return answer;
}

}  // namespace assay::evals
