#include "evals/extract/math_extraction.h"

#include <cstddef>

#include "base/text.h"

namespace assay::evals {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Bytes of the code point at `at`, so that "any character" never cuts one in two.
std::size_t code_point_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return end - at;
}

/// End of the answer that starts at `from`: one character before the closing words, on this line.
std::optional<std::size_t> answer_end(std::string_view text, std::size_t from) {
  constexpr std::string_view kClosing = " I hope it is correct";
  const std::size_t line_end = text.find('\n', from);
  for (std::size_t at = from; at < text.size() && at < line_end; at += code_point_size(text, at)) {
    const std::size_t closing = at + code_point_size(text, at);
    if (!text.substr(closing).starts_with(kClosing)) continue;
    const std::size_t last = closing + kClosing.size();
    if (last < text.size() && text[last] != '\n') return at;
  }
  return std::nullopt;
}

}  // namespace

std::string minerva_final_answer(std::string_view response) {
  constexpr std::string_view kOpening = "Final Answer: The final answer is";
  const std::string text = std::string(response) + "I hope it is correct.";
  std::size_t at = 0;
  while ((at = text.find(kOpening, at)) != std::string::npos) {
    const std::size_t from = at + kOpening.size();
    if (const std::optional<std::size_t> end = answer_end(text, from)) {
      return std::string(trim_ascii(std::string_view(text).substr(from, *end - from)));
    }
    at = from;
  }
  return "[invalidanswer]";
}

std::string between_dollars(std::string_view response) {
  const std::size_t first = response.find('$');
  const std::size_t last = response.rfind('$');
  if (first == last) return std::string(response);
  return std::string(response.substr(first + 1, last - first - 1));
}

std::optional<std::string> answer_line(std::string_view response) {
  const std::string lower = to_lower_ascii(response);
  constexpr std::string_view kWord = "answer";
  std::size_t at = 0;
  while ((at = lower.find(kWord, at)) != std::string::npos) {
    at += kWord.size();
    std::size_t from = at;
    while (from < response.size() && is_blank(response[from])) ++from;
    if (from >= response.size() || response[from] != ':') continue;
    ++from;
    while (from < response.size() && is_blank(response[from])) ++from;
    if (from >= response.size()) continue;
    const std::size_t end = response.find('\n', from);
    return std::string(response.substr(from, end == std::string_view::npos ? end : end - from));
  }
  return std::nullopt;
}

}  // namespace assay::evals
