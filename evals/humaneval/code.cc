#include "evals/humaneval/code.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "evals/humaneval/python_syntax.h"

namespace assay::evals::humaneval {
namespace {

constexpr std::string_view kFence = "```";
constexpr std::size_t kMaxPrefixLines = 1000;

struct Block {
  std::string tag;
  std::string code;
};

std::string without_reasoning(std::string_view text) {
  for (const std::string_view tag : {"</think>", "</thinking>", "</reasoning>"}) {
    const std::size_t end = text.rfind(tag);
    if (end != std::string_view::npos) text.remove_prefix(end + tag.size());
  }
  return std::string(text);
}

/// Fenced blocks (three backticks or tildes), the last perhaps unclosed.
std::vector<Block> fenced_blocks(std::string_view text) {
  std::vector<Block> blocks;
  std::string_view open;  // the fence that is open; "" outside
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view trimmed = trim_ascii(line);
    const bool ticks = trimmed.substr(0, 3) == kFence;
    const bool tildes = trimmed.substr(0, 3) == "~~~";
    if (open.empty() && (ticks || tildes)) {
      open = ticks ? kFence : "~~~";
      blocks.push_back({to_lower_ascii(trim_ascii(trimmed.substr(3))), ""});
    } else if (!open.empty() && trimmed == open) {
      open = {};
    } else if (!open.empty()) {
      blocks.back().code += std::string(line) + "\n";
    }
  }
  return blocks;
}

bool python_tag(std::string_view tag) {
  return tag.empty() || tag == "python" || tag == "py" || tag == "python3";
}

/// Lines of the prompt before the entry point: its imports and helpers.
std::string preamble(const Problem& problem) {
  const std::string mark = "def " + std::string(problem.entry_point);
  std::string out;
  for (const std::string_view line : split(problem.prompt, '\n')) {
    const bool entry = line.substr(0, mark.size()) == mark;
    if (entry) break;
    out += std::string(line) + "\n";
  }
  return out;
}

bool indented(std::string_view code) {
  for (const std::string_view line : split(code, '\n')) {
    if (!trim_ascii(line).empty()) return line[0] == ' ' || line[0] == '\t';
  }
  return false;
}

/// The lines that can be program: from the first that begins one of the words a program begins
/// with, up to the first line at the left margin that reads as prose.
std::string likely_program(std::string_view text) {
  constexpr std::array<std::string_view, 6> kStarts = {"def ",   "import ", "from ",
                                                       "class ", "@",       "async def "};
  const auto starts = [&](std::string_view line) {
    return std::any_of(kStarts.begin(), kStarts.end(), [&](std::string_view start) {
      return line.substr(0, start.size()) == start;
    });
  };
  std::string out;
  bool inside = false;
  for (const std::string_view line : split(text, '\n')) {
    inside = inside || starts(line);
    if (!inside) continue;
    const bool margin = !line.empty() && line[0] != ' ' && line[0] != '\t';
    const bool sentence = margin && !starts(line) && line.find(' ') != std::string_view::npos &&
                          line.find_first_of("=()[]#:'\"") == std::string_view::npos;
    if (sentence) break;
    out += std::string(line) + "\n";
  }
  return out;
}

Code assemble(const std::string& code, const Problem& problem, const std::string& source) {
  if (defines(code, problem.entry_point)) {
    return {preamble(problem) + code, source + ", defines the function"};
  }
  if (indented(code)) return {std::string(problem.prompt) + code, source + ", a body"};
  return {std::string(problem.prompt) + code, source + ", as it stands"};
}

/// As many lines from the first on as are a program behind the prompt; all of them where none are.
std::string longest_prefix(std::string_view text, const Problem& problem) {
  const std::size_t prompt_lines = split(problem.prompt, '\n').size() - 1;
  std::vector<std::string_view> lines = split(text, '\n');
  std::size_t count = std::min(lines.size(), kMaxPrefixLines);
  while (count > 0) {
    std::string program(problem.prompt);
    const std::size_t end = static_cast<std::size_t>(lines[count - 1].end() - text.begin());
    program += text.substr(0, end);
    std::size_t fault = std::string::npos;
    if (is_python(program, &fault)) return std::string(text.substr(0, end));
    // What stops the reader on a line stops it in every prefix that reaches so far.
    const bool known = fault != std::string::npos && fault >= prompt_lines;
    count = known ? std::min(count - 1, fault - prompt_lines) : count - 1;
  }
  return std::string(text);
}

}  // namespace

bool defines(std::string_view code, std::string_view name) {
  for (const std::string_view start : {"def ", "async def ", "class "}) {
    const std::string mark = std::string(start) + std::string(name);
    for (const std::string_view line : split(code, '\n')) {
      if (line.substr(0, mark.size()) != mark) continue;
      const std::string_view rest = trim_ascii(line.substr(mark.size()));
      if (!rest.empty() && (rest[0] == '(' || rest[0] == ':')) return true;
    }
  }
  for (const std::string_view line : split(code, '\n')) {
    if (line.substr(0, name.size()) != name) continue;
    const std::string_view rest = trim_ascii(line.substr(name.size()));
    if (rest.size() > 1 && rest[0] == '=' && rest[1] != '=') return true;
  }
  return false;
}

Code own_program(std::string_view response, const Problem& problem) {
  const std::string text = without_reasoning(response);
  const Block* chosen = nullptr;
  const std::vector<Block> blocks = fenced_blocks(text);
  for (const Block& block : blocks) {
    const bool better = chosen == nullptr || defines(block.code, problem.entry_point) ||
                        !defines(chosen->code, problem.entry_point);
    if (python_tag(block.tag) && better) chosen = &block;
  }
  // An answer that continues the prompt inside an opened fence ends with the fence's end.
  const std::size_t fence = text.find(kFence);
  const bool body_first = indented(text.substr(0, fence));
  if (chosen != nullptr && !body_first) return assemble(chosen->code, problem, "fence");
  const std::string before = text.substr(0, fence);
  if (defines(before, problem.entry_point)) {
    return {preamble(problem) + likely_program(before), "no fence, from the first definition on"};
  }
  return assemble(longest_prefix(before, problem), problem, "no fence");
}

Code raw_program(std::string_view response, const Problem& problem,
                 std::span<const std::string> stops) {
  std::size_t end = response.size();
  for (const std::string& stop : stops) end = std::min(end, response.find(stop));
  return {std::string(problem.prompt) + std::string(response.substr(0, end)),
          end < response.size() ? "cut at a stop string" : "whole text"};
}

}  // namespace assay::evals::humaneval
