// Where Math-Verify takes an answer from: candidates by priority, the last of each kind first.
#include <algorithm>
#include <array>
#include <cstddef>

#include "base/text.h"
#include "evals/extract/math_extraction.h"

namespace assay::evals {
namespace {

using View = std::string_view;

constexpr std::size_t kNone = View::npos;

struct Box {
  std::size_t start;  // of the backslash
  std::size_t end;    // past the closing brace
  View content;
};

std::size_t past_closing_brace(View text, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return at + 1;
  }
  return kNone;
}

/// Every box, an inner one instead of the one around it.
std::vector<Box> boxes(View text) {
  std::vector<Box> out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const View rest = text.substr(at);
    const std::size_t command = rest.starts_with("\\boxed")  ? 6
                                : rest.starts_with("\\fbox") ? 5
                                                             : 0;
    if (command == 0) continue;
    std::size_t open = at + command;
    while (open < text.size() && text[open] == ' ') ++open;
    if (open >= text.size() || text[open] != '{') {
      const View token = text.substr(open, text.find_first_of(" ${}.,\n", open) - open);
      if (!token.empty()) out.push_back({at, open + token.size(), token});
      continue;
    }
    const std::size_t end = past_closing_brace(text, open);
    if (end != kNone) out.push_back({at, end, text.substr(open + 1, end - open - 2)});
  }
  return out;
}

bool joins_boxes(View between) {
  std::string words(between);
  for (const View mark : {"$", "\\text", "{", "}", "\\(", "\\)", "\\[", "\\]"}) {
    words = replace_all(words, mark, " ");
  }
  const View word = trim_ascii(words);
  static constexpr std::array<View, 6> kJoiners = {"", ",", ";", "and", "or", "+"};
  return between.find('\n') == kNone &&
         std::find(kJoiners.begin(), kJoiners.end(), word) != kJoiners.end();
}

std::optional<std::string> last_boxes(View text) {
  const std::vector<Box> found = boxes(text);
  if (found.empty()) return std::nullopt;
  std::string out(found.back().content);
  for (std::size_t at = found.size() - 1; at > 0; --at) {
    const Box& before = found[at - 1];
    const Box& after = found[at];
    if (before.end > after.start) continue;  // the box around it
    if (!joins_boxes(text.substr(before.end, after.start - before.end))) break;
    out = std::string(before.content) + "," + out;
  }
  return out;
}

/// Without dollar signs, TeX's own brackets and a final dot.
std::string bare(View text) {
  text = trim_ascii(text);
  while (!text.empty() && (text.back() == '.' || text.back() == ',')) text.remove_suffix(1);
  for (const auto& [open, close] :
       {std::pair<View, View>{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}}) {
    if (text.size() >= open.size() + close.size() && text.starts_with(open) &&
        text.ends_with(close)) {
      text = text.substr(open.size(), text.size() - open.size() - close.size());
      break;
    }
  }
  return std::string(trim_ascii(text));
}

std::optional<std::string> hoped_answer(View text, const std::string& lower) {
  for (std::size_t hope = lower.rfind("i hope"); hope != kNone && hope > 0;
       hope = lower.rfind("i hope", hope - 1)) {
    std::size_t from = kNone;
    for (const View cue : {"final answer is", "final answer:"}) {
      const std::size_t at = lower.rfind(cue, hope);
      if (at == kNone) continue;
      const std::size_t end = at + cue.size();
      if (from == kNone || end > from) from = end;
    }
    if (from == kNone || from > hope) return std::nullopt;
    if (text[from] == ':') ++from;
    const View between = text.substr(from, hope - from);
    if (between.find('\n') != kNone) return std::nullopt;
    std::string answer = bare(between);
    if (answer.find("\\boxed") != std::string::npos) return std::nullopt;  // the next kind
    return answer;
  }
  return std::nullopt;
}

/// What follows the last "answer:" or "answer is", markup removed, up to the end of the line.
std::optional<std::string> cued_answer(View text, const std::string& lower) {
  std::size_t from = kNone;
  for (const View cue : {"answer:", "answer :", "answer**:", "answer is"}) {
    const std::size_t at = lower.rfind(cue);
    if (at != kNone && (from == kNone || at + cue.size() > from)) from = at + cue.size();
  }
  if (from == kNone) return std::nullopt;
  std::string answer = bare(text.substr(from, text.find('\n', from) - from));
  return answer.empty() ? std::nullopt : std::optional(std::move(answer));
}

std::optional<std::string> last_formula(View text) {
  std::optional<std::string> out;
  std::size_t best = 0;
  for (const auto& [open, close] :
       {std::pair<View, View>{"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}}) {
    const std::size_t end = text.rfind(close);
    if (end == kNone || end == 0) continue;
    const std::size_t start = text.rfind(open, end - 1);
    if (start == kNone || start + open.size() >= end || end < best) continue;
    const View inside = text.substr(start + open.size(), end - start - open.size());
    const bool prose = inside.find(" and ") != kNone || inside.find(" the ") != kNone;
    if (prose || inside.find('\n') != kNone) continue;  // a price, not a formula
    best = end;
    out = std::string(trim_ascii(inside));
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::string> last_number(View text) {
  const auto inside = [](char c) { return is_digit(c) || c == '.' || c == ',' || c == '/'; };
  for (std::size_t end = text.size(); end > 0; --end) {
    if (!is_digit(text[end - 1])) continue;
    std::size_t start = end;
    while (start > 0 && inside(text[start - 1])) --start;
    while (start < end && !is_digit(text[start])) ++start;
    if (start > 0 && text[start - 1] == '-') --start;
    const bool free_before =
        start == 0 || text[start - 1] == ' ' || text[start - 1] == '\n' || text[start - 1] == '$';
    const bool free_after = end == text.size() || View(" \n.,;:!?$%").find(text[end]) != kNone;
    if (free_before && free_after) return std::string(text.substr(start, end - start));
    end = start + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> math_verify_answer(View response) {
  const std::string lower = to_lower_ascii(response);
  if (auto answer = hoped_answer(response, lower)) return answer;
  if (auto answer = last_boxes(response)) return answer;
  if (auto answer = cued_answer(response, lower)) return answer;
  if (auto answer = last_formula(response)) return answer;
  return last_number(response);
}

}  // namespace assay::evals
