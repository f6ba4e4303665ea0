#include "evals/humaneval/reference_code.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "evals/extract/python_text.h"
#include "evals/humaneval/python_syntax.h"

namespace assay::evals::humaneval {
namespace {

using View = std::string_view;

constexpr View kFence = "```";
constexpr std::size_t kMaxScanned = 20'000'000;  // characters, a second or two of work

/// Bytes of the word (`\w*`) at the start of `text`.
std::size_t word_size(View text) {
  std::size_t size = 0;
  while (size < text.size()) {
    std::size_t next = size + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    const std::u32string c = to_code_points(text.substr(size, next - size));
    if (c.size() != 1 || !python_is_word(c[0])) break;
    size = next;
  }
  return size;
}

/// "```", a word, a line feed, then the content up to the next "```"; they do not overlap.
std::vector<View> tagged_blocks(View text) {
  std::vector<View> blocks;
  std::size_t at = 0;
  while ((at = text.find(kFence, at)) != View::npos) {
    const std::size_t word = at + kFence.size();
    const std::size_t line = word + word_size(text.substr(word));
    const std::size_t end = text.substr(line, 1) == "\n" ? text.find(kFence, line + 1) : View::npos;
    if (end == View::npos) {
      ++at;
      continue;
    }
    blocks.push_back(text.substr(line + 1, end - line - 1));
    at = end + kFence.size();
  }
  return blocks;
}

View after_line(View text, std::size_t from) {
  const std::size_t end = text.find('\n', from);
  return end == View::npos ? text : text.substr(end + 1);
}

View without_leading(View text, char c) {
  const std::size_t first = text.find_first_not_of(c);
  return first == View::npos ? View{} : text.substr(first);
}

std::string joined_lines(const std::vector<View>& lines, View before) {
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += '\n';
    out += before;
    out += lines[i];
  }
  return out;
}

/// The content of the first pair of fences, or what follows a single one.
View fenced(View text) {
  const std::size_t open = text.find(kFence);
  if (open == View::npos) return text;
  View block = text.substr(open + kFence.size());
  const std::size_t close = block.find(kFence);
  if (close == View::npos) return block;
  block = block.substr(0, close);
  return block.starts_with('\n') ? block : after_line(block, 0);
}

/// Up to the first line that is indented less than the first one; comments and lines that begin
/// with a quote do not count.
std::string first_block(View code) {
  std::optional<std::size_t> indent;
  std::vector<View> kept;
  for (const View line : split(code, '\n')) {
    const View words = python_strip(line);
    const bool counts = !words.empty() && View("'\"#").find(words[0]) == View::npos;
    if (counts) {
      const std::size_t found = python_rstrip(line).size() - words.size();
      if (indent && found < *indent) break;
      if (!indent) indent = found;
    }
    kept.push_back(line);
  }
  return joined_lines(kept, "");
}

}  // namespace

std::string simple_evals_completion(View response) {
  constexpr View kOpen = "```python\n";
  View code = response;
  const std::size_t open = response.find(kOpen);
  if (open != View::npos) {
    code = response.substr(open + kOpen.size());
    const std::size_t close = code.find(kFence);
    // Without an end of the fence its pattern finds nothing and the whole text is taken.
    code = close != View::npos ? code.substr(0, close) : response;
  }
  // One beyond the search result, which is -1 when nothing was found.
  const std::size_t body = code.find(":\n    ");
  if (body == View::npos) return std::string(code.substr(code.empty() ? 0 : 1));
  return std::string(code.substr(body + 2));
}

std::string until_fence(View response) {
  return std::string(response.substr(0, response.find(kFence)));
}

std::string opencompass_v2(View response) {
  const std::vector<View> blocks = tagged_blocks(response);
  return std::string(python_lstrip(blocks.empty() ? response : blocks.front()));
}

std::string opencompass_v3(View response) {
  const std::vector<View> blocks = tagged_blocks(response);
  return std::string(python_lstrip(blocks.empty() ? response : blocks.back()));
}

std::string opencompass_internal_v1(View response) {
  View text = fenced(without_leading(response, '\n'));
  const View stripped = python_strip(text);
  if (stripped.starts_with("from") || stripped.starts_with("import")) {
    const std::size_t definition = text.find("def");
    if (definition != View::npos) text = after_line(text, definition);
  }
  std::vector<View> lines = split(text, '\n');
  std::erase(lines, View{});
  std::string code = joined_lines(lines, "");
  if (python_strip(code).starts_with("def")) {
    lines.erase(lines.begin());
    code = joined_lines(lines, "");
  }
  code = code.starts_with(" ") ? "    " + std::string(python_lstrip(View(code)))
                               : joined_lines(split(View(code), '\n'), "    ");
  return first_block(code);
}

std::string opencompass_internal_v2(View response) {
  std::string text(response);
  if (text.starts_with("   ") && !text.starts_with("    ")) text.insert(0, " ");
  View part = text;
  part = part.substr(0, part.find("\n\n\n"));
  part = part.substr(0, part.find("\n```"));
  std::vector<View> lines;
  for (const View line : split(part, '\n')) {
    if (!line.empty() && line[0] != ' ') break;
    lines.push_back(line);
  }
  return joined_lines(lines, "");
}

std::string bigcode_completion(View response) {
  std::size_t end = response.size();
  for (const View stop :
       {"\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "<file_sep>"}) {
    end = std::min(end, response.find(stop));
  }
  return std::string(response.substr(0, end));
}

namespace {

/// Searches runs of lines of one text; lines[from..to] is one piece of the text.
class LongestProgram {
 public:
  explicit LongestProgram(View text) : text_(text) {
    std::size_t at = 0;
    for (const View line : split(text, '\n')) {
      starts_.push_back(at);
      at += line.size() + 1;
      filled_.push_back((filled_.empty() ? 0 : filled_.back()) +
                        (python_strip(line).empty() ? 0 : 1));
    }
  }

  View find() {
    std::pair<std::size_t, std::size_t> best{0, 0};
    std::size_t longest = 0;
    for (std::size_t from = 0; from + 1 < starts_.size(); ++from) {
      if (const auto to = longest_from(from, longest)) {
        longest = filled(from, *to);
        best = {from, *to};
      }
    }
    return lines(best.first, best.second);
  }

 private:
  [[nodiscard]] View lines(std::size_t from, std::size_t to) const {
    const std::size_t end = to + 1 < starts_.size() ? starts_[to + 1] - 1 : text_.size();
    return text_.substr(starts_[from], end - starts_[from]);
  }
  [[nodiscard]] std::size_t filled(std::size_t from, std::size_t to) const {
    return filled_[to] - (from > 0 ? filled_[from - 1] : 0);
  }

  bool is_program(std::size_t from, std::size_t to, std::size_t* fault) {
    const View text = lines(from, to);
    if (scanned_ > kMaxScanned) return false;
    scanned_ += text.size();
    return is_python(text, fault);
  }

  /// The last line of the longest program that begins at `from` and has more lines than `beaten`;
  /// of ends that differ in blank lines alone the first.
  std::optional<std::size_t> longest_from(std::size_t from, std::size_t beaten) {
    std::size_t to = starts_.size() - 1;
    std::optional<std::size_t> found;
    while (to > from && filled(from, to) > beaten) {
      if (found && filled(from, to) < filled(from, *found)) break;
      std::size_t fault = View::npos;
      if (is_program(from, to, &fault)) {
        found = to;
      } else if (fault != View::npos && from + fault <= to) {
        // What stops the reader there stops it in every run that reaches so far.
        if (from + fault <= from) return found;
        to = from + fault;
      }
      --to;
    }
    return found;
  }

  View text_;
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> filled_;  // lines up to and with this one that are not blank
  std::size_t scanned_ = 0;
};

}  // namespace

std::string evalplus_code(View response) { return std::string(LongestProgram(response).find()); }

}  // namespace assay::evals::humaneval
