#include "engine/tokenizer_split.h"

#include <unicode/uchar.h>

#include <cstdint>

namespace assay::engine {

const std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

enum class Kind : std::uint8_t { kLetter, kDigit, kLineEnd, kBlank, kMark, kEnd };

struct Character {
  Kind kind = Kind::kEnd;
  std::size_t end = 0;  // byte offset after it
};

Kind kind_of(char32_t c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
    if (c >= '0' && c <= '9') return Kind::kDigit;
    if (c == '\n' || c == '\r') return Kind::kLineEnd;
    return c == ' ' || (c >= 9 && c <= 13) ? Kind::kBlank : Kind::kMark;
  }
  const auto code = static_cast<UChar32>(c);
  const auto category = U_GET_GC_MASK(code);
  if ((category & U_GC_L_MASK) != 0) return Kind::kLetter;
  if ((category & U_GC_N_MASK) != 0) return Kind::kDigit;
  return u_isUWhiteSpace(code) != 0 ? Kind::kBlank : Kind::kMark;
}

/// The character at `at` of valid UTF-8.
char32_t code_point(std::string_view text, std::size_t at, std::size_t& end) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    end = at + 1;
    return lead;
  }
  if (lead < 0xe0) {
    end = at + 2;
    return ((lead & 0x1fU) << 6) | (byte(1) & 0x3fU);
  }
  if (lead < 0xf0) {
    end = at + 3;
    return ((lead & 0x0fU) << 12) | ((byte(1) & 0x3fU) << 6) | (byte(2) & 0x3fU);
  }
  end = at + 4;
  return ((lead & 0x07U) << 18) | ((byte(1) & 0x3fU) << 12) | ((byte(2) & 0x3fU) << 6) |
         (byte(3) & 0x3fU);
}

Character character(std::string_view text, std::size_t at) {
  Character out;
  if (at < text.size()) out.kind = kind_of(code_point(text, at, out.end));
  return out;
}

/// End of the run of characters from `at` on for which `wanted(kind)` holds.
template <typename Wanted>
std::size_t run_end(std::string_view text, std::size_t at, const Wanted& wanted) {
  for (;;) {
    const Character c = character(text, at);
    if (c.kind == Kind::kEnd || !wanted(c.kind)) return at;
    at = c.end;
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// End of 's, 't, 're, 've, 'm, 'll or 'd in either case after the apostrophe at `at`, or `at`.
std::size_t contraction_end(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at + 1);
  // U+017F, the long s, is an s when case is ignored.
  if (rest.starts_with("\xc5\xbf")) return at + 3;
  const char first = rest.empty() ? '\0' : lower(rest[0]);
  const char second = rest.size() < 2 ? '\0' : lower(rest[1]);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
      (first == 'l' && second == 'l')) {
    return at + 3;
  }
  return at;
}

bool is_space(Kind kind) { return kind == Kind::kBlank || kind == Kind::kLineEnd; }

/// The last three alternatives, for a run of blanks and line ends that starts at `begin`.
std::size_t blanks_end(std::string_view text, std::size_t begin) {
  std::size_t after_line_end = begin;
  std::size_t last = begin;  // begin of the run's last character
  std::size_t end = begin;
  for (Character c = character(text, begin); is_space(c.kind); c = character(text, end)) {
    last = end;
    end = c.end;
    if (c.kind == Kind::kLineEnd) after_line_end = end;
  }
  if (after_line_end > begin) return after_line_end;
  // A blank before a word stays with the word, unless it is the only one.
  return end == text.size() || last == begin ? end : last;
}

}  // namespace

std::size_t llama3_word_end(std::string_view text, std::size_t begin) {
  const auto letters = [](Kind kind) { return kind == Kind::kLetter; };
  const auto marks = [](Kind kind) { return kind == Kind::kMark; };
  const auto line_ends = [](Kind kind) { return kind == Kind::kLineEnd; };
  const Character first = character(text, begin);
  if (text[begin] == '\'') {
    const std::size_t end = contraction_end(text, begin);
    if (end > begin) return end;
  }
  if (first.kind == Kind::kLetter) return run_end(text, first.end, letters);
  if (first.kind == Kind::kDigit) {
    std::size_t end = first.end;
    for (int i = 0; i < 2; ++i) {
      const Character next = character(text, end);
      if (next.kind == Kind::kDigit) end = next.end;
    }
    return end;
  }
  const Character second = character(text, first.end);
  if (first.kind != Kind::kLineEnd && second.kind == Kind::kLetter) {
    return run_end(text, second.end, letters);
  }
  if (first.kind == Kind::kMark || (text[begin] == ' ' && second.kind == Kind::kMark)) {
    return run_end(text, run_end(text, first.end, marks), line_ends);
  }
  return blanks_end(text, begin);
}

}  // namespace assay::engine
