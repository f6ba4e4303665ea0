#include "evals/humaneval/python_tokens.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/text.h"
#include "evals/extract/python_text.h"

namespace assay::evals::humaneval {
namespace {

using Kind = PythonTokenKind;
using View = std::string_view;

constexpr std::size_t kMaxBrackets = 200;
constexpr std::size_t kMaxIndents = 100;

constexpr std::array<View, 35> kKeywords = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

// The longest first.
constexpr std::array<View, 46> kOperators = {
    "**=", "//=", ">>=", "<<=", "...", "!=", "==", "<=", ">=", "->", "+=", "-=",
    "*=",  "/=",  "%=",  "&=",  "|=",  "^=", "@=", "**", "//", ">>", "<<", ":=",
    "+",   "-",   "*",   "/",   "%",   "&",  "|",  "^",  "~",  "@",  "<",  ">",
    "=",   "(",   ")",   "[",   "]",   "{",  "}",  ",",  ":",  "."};

bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool ascii_name(char c) {
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

/// Bytes of the UTF-8 character at the start of `text`.
std::size_t character_size(View text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) ++size;
  return size;
}

/// Bytes of a string prefix that a quote follows, or npos.
std::size_t string_prefix(View text) {
  std::size_t size = 0;
  while (size < text.size() && size < 3 && ascii_name(text[size])) ++size;
  if (size >= text.size() || (text[size] != '\'' && text[size] != '"')) return View::npos;
  const std::string prefix = to_lower_ascii(text.substr(0, size));
  static constexpr std::array<View, 9> kPrefixes = {"", "r", "b", "u", "f", "br", "rb", "fr", "rf"};
  return std::find(kPrefixes.begin(), kPrefixes.end(), prefix) != kPrefixes.end() ? size
                                                                                  : View::npos;
}

/// Digits of a base with single underscores between them; 0 for none.
template <typename IsDigit>
std::size_t digits(View text, const IsDigit& is_digit) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_digit(text[at])) {
      ++at;
    } else if (text[at] == '_' && at > 0 && at + 1 < text.size() && is_digit(text[at + 1])) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

/// These may follow a number at once, as in "1if x else y".
bool word_may_follow_number(View rest) {
  for (const View word : {"and", "else", "for", "if", "in", "is", "not", "or"}) {
    if (rest.starts_with(word)) return true;
  }
  return false;
}

std::size_t decimal_size(View text) {
  const std::size_t whole = digits(text, digit);
  std::size_t at = whole;
  bool is_float = false;
  if (at < text.size() && text[at] == '.') {
    is_float = true;
    ++at;
    at += digits(text.substr(at), digit);
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t exponent = at + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    const std::size_t size = digits(text.substr(exponent), digit);
    if (size > 0) {
      is_float = true;
      at = exponent + size;
    }
  }
  if (at < text.size() && (text[at] == 'j' || text[at] == 'J')) return at + 1;
  const bool zeros = text.substr(0, whole).find_first_not_of("0_") == View::npos;
  if (!is_float && whole > 1 && text[0] == '0' && !zeros) return 0;
  return at;
}

}  // namespace

const PythonToken& PythonTokens::at(std::size_t index) {
  while (!done_ && tokens_.size() <= index) next();
  return tokens_[std::min(index, tokens_.size() - 1)];
}

void PythonTokens::push(Kind kind, std::size_t size) {
  const View text = source_.substr(pos_, size);
  tokens_.push_back({kind, text, line_});
  line_ += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  pos_ += size;
}

void PythonTokens::fail() {
  tokens_.push_back({Kind::kError, "", line_});
  done_ = true;
}

/// Indentation of the next line with code. False when a token was made or the input ended.
bool PythonTokens::start_line() {
  for (;;) {
    std::size_t at = pos_;
    Indent indent{0, 0};
    for (; at < source_.size(); ++at) {
      if (source_[at] == ' ') {
        ++indent.column;
        ++indent.alternative;
      } else if (source_[at] == '\t') {
        indent.column = (indent.column / 8 + 1) * 8;
        ++indent.alternative;
      } else if (source_[at] == '\f') {
        indent = {0, 0};
      } else {
        break;
      }
    }
    if (at < source_.size() && source_[at] == '#')
      at = std::min(source_.find('\n', at), source_.size());
    if (at < source_.size() && source_[at] == '\r') ++at;
    if (at >= source_.size()) {
      pos_ = source_.size();
      return true;
    }
    if (source_[at] == '\n') {
      pos_ = at + 1;
      ++line_;
      continue;
    }
    pos_ = at;
    line_start_ = false;
    const Indent& current = indents_.back();
    if (indent.column == current.column) {
      if (indent.alternative != current.alternative) fail();
      return !done_;
    }
    if (indent.column > current.column) {
      if (indent.alternative <= current.alternative || indents_.size() >= kMaxIndents) {
        fail();
        return false;
      }
      indents_.push_back(indent);
      push(Kind::kIndent, 0);
      return false;
    }
    while (indent.column < indents_.back().column) {
      indents_.pop_back();
      push(Kind::kDedent, 0);
    }
    if (indent.column != indents_.back().column ||
        indent.alternative != indents_.back().alternative) {
      fail();
    }
    return false;
  }
}

bool PythonTokens::read_string(std::size_t prefix) {
  const char quote = source_[pos_ + prefix];
  const bool triple = source_.substr(pos_ + prefix, 3) == std::string(3, quote);
  const std::string close(triple ? 3U : 1U, quote);
  for (std::size_t at = pos_ + prefix + close.size(); at < source_.size(); ++at) {
    if (source_[at] == '\\') {
      ++at;
    } else if (source_[at] == '\n' && !triple) {
      return false;
    } else if (source_.substr(at, close.size()) == close) {
      push(Kind::kString, at + close.size() - pos_);
      return true;
    }
  }
  return false;
}

std::size_t PythonTokens::number_size() const {
  const View text = source_.substr(pos_);
  std::size_t size = 0;
  const char base = text.size() > 1 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : ' ';
  if (base == 'x' || base == 'o' || base == 'b') {
    const auto in_base = [base](char c) {
      if (base == 'x') return hex_digit(c);
      return c >= '0' && c <= (base == 'o' ? '7' : '1');
    };
    const std::size_t start = text.size() > 2 && text[2] == '_' ? 3 : 2;
    const std::size_t found = digits(text.substr(start), in_base);
    if (found == 0) return 0;
    size = start + found;
  } else {
    size = decimal_size(text);
  }
  if (size == 0 || size >= text.size()) return size;
  if (digit(text[size]) || text[size] == '_') return 0;
  const bool joined = ascii_name(text[size]) || !ascii(text[size]);
  return joined && !word_may_follow_number(text.substr(size)) ? 0 : size;
}

std::size_t PythonTokens::name_size() const {
  std::size_t size = 0;
  const View text = source_.substr(pos_);
  while (size < text.size()) {
    if (ascii_name(text[size])) {
      if (size == 0 && digit(text[size])) return 0;
      ++size;
    } else if (!ascii(text[size])) {
      const std::size_t bytes = character_size(text.substr(size));
      const std::u32string c = to_code_points(text.substr(size, bytes));
      if (c.size() != 1 || !python_is_word(c[0]) || (size == 0 && python_is_digit(c[0]))) break;
      size += bytes;
    } else {
      break;
    }
  }
  return size;
}

std::size_t PythonTokens::operator_size() const {
  const View text = source_.substr(pos_);
  for (const View known : kOperators) {
    if (text.starts_with(known)) return known.size();
  }
  return text[0] == ';' ? 1 : 0;
}

void PythonTokens::next() {
  if (line_start_ && brackets_.empty() && !start_line()) return;
  while (pos_ < source_.size()) {
    const char c = source_[pos_];
    if (c == ' ' || c == '\t' || c == '\f' || c == '\r') {
      ++pos_;
    } else if (c == '#') {
      pos_ = std::min(source_.find('\n', pos_), source_.size());
    } else if (c == '\\' && source_.substr(pos_ + 1, 1) == "\n" && pos_ + 2 < source_.size()) {
      pos_ += 2;
      ++line_;
    } else if (c == '\n' && !brackets_.empty()) {
      ++pos_;
      ++line_;
    } else {
      break;
    }
  }
  if (pos_ >= source_.size()) {
    if (!brackets_.empty()) return fail();
    if (!line_start_) {
      push(Kind::kNewline, 0);
      line_start_ = true;
      return;
    }
    for (; indents_.size() > 1; indents_.pop_back()) push(Kind::kDedent, 0);
    push(Kind::kEnd, 0);
    done_ = true;
    return;
  }
  const char c = source_[pos_];
  if (c == '\n') {
    push(Kind::kNewline, 1);
    line_start_ = true;
    return;
  }
  if (const std::size_t prefix = string_prefix(source_.substr(pos_)); prefix != View::npos) {
    if (!read_string(prefix)) fail();
    return;
  }
  if (digit(c) || (c == '.' && pos_ + 1 < source_.size() && digit(source_[pos_ + 1]))) {
    const std::size_t size = number_size();
    return size > 0 ? push(Kind::kNumber, size) : fail();
  }
  if (const std::size_t size = name_size(); size > 0) {
    const View word = source_.substr(pos_, size);
    const bool keyword = std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
    return push(keyword ? Kind::kKeyword : Kind::kName, size);
  }
  const std::size_t size = operator_size();
  if (size == 0) return fail();
  if (c == '(' || c == '[' || c == '{') {
    brackets_.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (brackets_.size() > kMaxBrackets) return fail();
  } else if (c == ')' || c == ']' || c == '}') {
    if (brackets_.empty() || brackets_.back() != c) return fail();
    brackets_.pop_back();
  }
  push(Kind::kOperator, size);
}

namespace {

/// Bytes of an escape after its backslash; 0 for a malformed one.
std::size_t escape_size(View text, bool bytes) {
  if (text.empty()) return 1;
  const std::size_t wanted = text[0] == 'x'   ? 2
                             : bytes          ? 0
                             : text[0] == 'u' ? 4
                             : text[0] == 'U' ? 8
                                              : 0;
  if (!bytes && text[0] == 'N') {
    const std::size_t close = text.find('}');
    return text.size() > 2 && text[1] == '{' && close != View::npos && close > 2 ? close + 1 : 0;
  }
  for (std::size_t at = 1; at <= wanted; ++at) {
    if (at >= text.size() || !hex_digit(text[at])) return 0;
  }
  if (wanted == 8 && std::string(text.substr(1, 8)) > "0010ffff" &&
      to_lower_ascii(text.substr(1, 8)) > "0010ffff") {
    return 0;
  }
  return 1 + wanted;
}

/// End of the expression of an f-string field: the colon, "!" or brace that ends it, or npos.
std::size_t field_expression_end(View text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' || c == '#') return View::npos;
    if (c == '\'' || c == '"') {
      const View quote =
          text.substr(at, 3) == std::string(3, c) ? text.substr(at, 3) : text.substr(at, 1);
      const std::size_t close = text.find(quote, at + quote.size());
      if (close == View::npos) return View::npos;
      at = close + quote.size() - 1;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if (depth > 0 && (c == ')' || c == ']' || c == '}')) {
      --depth;
    } else if (depth == 0 && c == '!' && text.substr(at, 2) == "!=") {
      ++at;
    } else if (depth == 0 && (c == '}' || c == ':' || c == '!')) {
      return at;
    }
  }
  return View::npos;
}

/// Bytes of a replacement field after its "{", with its "}"; 0 for a malformed one.
// NOLINTNEXTLINE(misc-no-recursion): the format of a field may hold fields, two levels deep.
std::size_t field_size(View text, int level, bool (*is_expression)(View)) {
  const std::size_t end = level > 1 ? View::npos : field_expression_end(text);
  if (end == View::npos) return 0;
  View expression = text.substr(0, end);
  while (!expression.empty() && expression.back() == ' ') expression.remove_suffix(1);
  if (expression.ends_with('=') && !expression.ends_with("==") && !expression.ends_with("!=") &&
      !expression.ends_with("<=") && !expression.ends_with(">=")) {
    expression.remove_suffix(1);  // "{x=}" shows the text too
  }
  if (trim_ascii(expression).empty() || !is_expression(expression)) return 0;
  std::size_t at = end;
  if (text[at] == '!') {
    if (at + 2 >= text.size() || View("rsa").find(text[at + 1]) == View::npos) return 0;
    at += 2;
  }
  if (text[at] == '}') return at + 1;
  if (text[at] != ':') return 0;
  for (++at; at < text.size(); ++at) {
    if (text[at] == '}') return at + 1;
    if (text[at] != '{') continue;
    const std::size_t inner = field_size(text.substr(at + 1), level + 1, is_expression);
    if (inner == 0) return 0;
    at += inner;
  }
  return 0;
}

}  // namespace

bool is_python_bytes(View literal) {
  return literal.substr(0, string_prefix(literal)).find_first_of("bB") != View::npos;
}

bool is_python_string(View literal, bool (*is_expression)(View)) {
  const std::string prefix = to_lower_ascii(literal.substr(0, string_prefix(literal)));
  View body = literal.substr(prefix.size());
  const std::size_t quotes =
      body.size() >= 6 && body.substr(0, 3) == std::string(3, body[0]) ? 3 : 1;
  body = body.substr(quotes, body.size() - 2 * quotes);
  const bool raw = prefix.find('r') != std::string::npos;
  const bool bytes = prefix.find('b') != std::string::npos;
  const bool fields = prefix.find('f') != std::string::npos;
  for (std::size_t at = 0; at < body.size(); ++at) {
    const char c = body[at];
    if (bytes && !ascii(c)) return false;
    if (c == '\\' && !raw) {
      const std::size_t size = escape_size(body.substr(at + 1), bytes);
      if (size == 0) return false;
      at += size;
    } else if (fields && (c == '{' || c == '}')) {
      if (body.substr(at + 1, 1) == body.substr(at, 1)) {
        ++at;
        continue;
      }
      const std::size_t size = c == '{' ? field_size(body.substr(at + 1), 0, is_expression) : 0;
      if (size == 0) return false;
      at += size;
    }
  }
  return true;
}

}  // namespace assay::evals::humaneval
