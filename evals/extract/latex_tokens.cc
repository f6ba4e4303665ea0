#include "evals/extract/latex_tokens.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"

namespace assay::evals {
namespace {

using Kind = LatexToken::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

constexpr std::array<std::pair<std::string_view, std::string_view>, 74> kReplaced = {{
    {"\\left.", ""},
    {"\\right.", ""},
    {"\\displaystyle", ""},
    {"\\textstyle", ""},
    {"\\(", ""},
    {"\\)", ""},
    {"\\[", ""},
    {"\\]", ""},
    {"$$", ""},
    {"{,}", "\\!"},
    {",\\!", "\\!"},
    {"\\,", " "},
    {"\\;", " "},
    {"\\:", " "},
    {"\\ ", " "},
    {"\\quad", " "},
    {"\\qquad", " "},
    {"~", " "},
    {"\\limits", ""},
    {"\\dfrac", "\\frac"},
    {"\\tfrac", "\\frac"},
    {"\\cfrac", "\\frac"},
    {"\\dbinom", "\\binom"},
    {"\\tbinom", "\\binom"},
    {"^{\\circ}", "\\degree "},
    {"^\\circ", "\\degree "},
    {"^{\\prime}", "'"},
    {"\\lbrace", "\\{"},
    {"\\rbrace", "\\}"},
    {"\\lvert", "|"},
    {"\\rvert", "|"},
    {"\\vert", "|"},
    {"\\mid", "|"},
    {"\\lbrack", "["},
    {"\\rbrack", "]"},
    {"\\geqslant", "\\ge "},
    {"\\leqslant", "\\le "},
    {"\\geq", "\\ge "},
    {"\\leq", "\\le "},
    {"\\neq", "\\ne "},
    {"<=", "\\le "},
    {">=", "\\ge "},
    {"!=", "\\ne "},
    {"\u2212", "-"},
    {"\u2013", "-"},
    {"\u00d7", "\\times "},
    {"\u00b7", "\\cdot "},
    {"\u22c5", "\\cdot "},
    {"\u00f7", "\\div "},
    {"\u03c0", "\\pi "},
    {"\u221a", "\\sqrt "},
    {"\u221e", "\\infty "},
    {"\u2264", "\\le "},
    {"\u2265", "\\ge "},
    {"\u2260", "\\ne "},
    {"\u222a", "\\cup "},
    {"\u2229", "\\cap "},
    {"\u2208", "\\in "},
    {"\u00b1", "\\pm "},
    {"\u00b0", "\\degree "},
    {"\u2205", "\\emptyset "},
    {"\u00bd", "\\frac{1}{2}"},
    {"\u00bc", "\\frac{1}{4}"},
    {"\u00be", "\\frac{3}{4}"},
    {"\u00b2", "^{2}"},
    {"\u00b3", "^{3}"},
    {"\u03b8", "\\theta "},
    {"\u03b1", "\\alpha "},
    {"\u03b2", "\\beta "},
    {"\u211d", "\\mathbb{R}"},
    {"\u2003", " "},
    {"\u00a0", " "},
    {"\u2009", " "},
    {"**", "^"},
}};

/// "\left(" without touching "\leftarrow".
std::string drop_command(std::string_view text, std::string_view command) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t hit = text.find(command); hit != std::string_view::npos;
       hit = text.find(command, hit + 1)) {
    const std::size_t after = hit + command.size();
    if (hit < at || (after < text.size() && is_letter(text[after]))) continue;
    out += text.substr(at, hit - at);
    at = after;
  }
  return out + std::string(text.substr(at));
}

bool is_text_command(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "text",       "mbox",         "textbf", "textrm", "textit", "mathrm", "hbox",
      "textnormal", "operatorname", "mathit", "texttt", "mathsf", "textsf"};
  return kNames.contains(name);
}

const std::set<std::string_view>& functions() {
  static const std::set<std::string_view> kNames = {
      "sin",  "cos",  "tan",  "cot",   "sec",  "csc",   "arcsin", "arccos", "arctan",
      "sinh", "cosh", "tanh", "log",   "ln",   "exp",   "sqrt",   "pi",     "infty",
      "cup",  "cap",  "in",   "alpha", "beta", "theta", "phi",    "lfloor", "rfloor",
      "gcd",  "max",  "min",  "binom", "frac", "pm",    "cdot"};
  return kNames;
}

/// Words of two or three letters that are not products of letters.
bool is_short_word(std::string_view lower) {
  static const std::set<std::string_view> kNames = {
      "cm",  "mm",  "km",  "ft",  "kg",  "mg",  "ml",  "mph", "gm",   "lb",  "lbs",
      "oz",  "sec", "min", "hr",  "hrs", "yd",  "mi",  "yes", "no",   "odd", "deg",
      "day", "way", "dne", "one", "two", "six", "ten", "all", "none", "pm",  "am",
      "pts", "sq",  "red", "men", "is",  "of",  "to",  "the", "inf"};
  return kNames.contains(lower);
}

class Lexer {
 public:
  Lexer(std::string_view text, CommaReading reading) : text_(text), reading_(reading) {}

  LatexTokens run() {
    while (at_ < text_.size()) next();
    push(Kind::kEnd, "");
    return std::move(out_);
  }

 private:
  void push(Kind kind, std::string text) {
    out_.tokens.push_back({kind, std::move(text), blank_});
    blank_ = false;
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void next() {
    const char c = peek();
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      blank_ = true;
      ++at_;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      number();
    } else if (is_letter(c)) {
      letters();
    } else if (c == '\\') {
      command();
    } else {
      if (c == '(' || c == '[') ++depth_;
      if ((c == ')' || c == ']') && depth_ > 0) --depth_;
      const std::size_t size = (static_cast<unsigned char>(c) & 0x80U) == 0 ? 1 : utf8_size();
      push(size == 1 ? Kind::kSign : Kind::kLetter, std::string(text_.substr(at_, size)));
      at_ += size;
    }
  }

  std::size_t utf8_size() const {
    std::size_t end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U) ++end;
    return end - at_;
  }

  bool three_digits(std::size_t from) const {
    for (std::size_t index = from; index < from + 3; ++index) {
      if (index >= text_.size() || !is_digit(text_[index])) return false;
    }
    return from + 3 >= text_.size() || !is_digit(text_[from + 3]);
  }

  /// Bytes of a separator of thousands here, or 0.
  std::size_t separator(const std::string& digits) {
    const bool lead = digits.size() <= 3 && digits[0] != '0';
    if (!lead && !joined_) return 0;
    if (text_.substr(at_, 2) == "\\!") {
      std::size_t size = 2;
      while (peek(size) == ' ' || text_.substr(at_ + size, 2) == "\\!") ++size;
      return three_digits(at_ + size) ? size : 0;
    }
    if (peek() == ' ' && three_digits(at_ + 1)) return 1;
    if (peek() != ',' || !three_digits(at_ + 1)) return 0;
    if (peek(1) == '0' && depth_ > 0) return 1;  // no list holds a number such as 050
    if (depth_ > 0) return 0;
    out_.ambiguous_comma = true;
    return reading_ == CommaReading::kThousands ? 1 : 0;
  }

  void number() {
    std::string digits;
    joined_ = false;
    while (is_digit(peek())) digits += text_[at_++];
    while (!digits.empty()) {
      const std::size_t size = separator(digits);
      if (size == 0) break;
      joined_ = true;
      at_ += size;
      for (int index = 0; index < 3; ++index) digits += text_[at_++];
    }
    if (peek() == '.' && peek(1) != '.') {
      digits += text_[at_++];
      while (is_digit(peek())) digits += text_[at_++];
    }
    const std::size_t sign = peek(1) == '-' || peek(1) == '+' ? 2 : 1;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(sign)) && !joined_) {
      digits += 'e';
      digits += text_.substr(at_ + 1, sign - 1);
      at_ += sign;
      while (is_digit(peek())) digits += text_[at_++];
    }
    push(Kind::kNumber, digits);
  }

  void letters() {
    std::size_t end = at_;
    while (end < text_.size() && is_letter(text_[end])) ++end;
    const std::string run(text_.substr(at_, end - at_));
    const std::string lower = to_lower_ascii(run);
    at_ = end;
    if (run.size() == 1) {
      push(Kind::kLetter, run);
    } else if (lower == "and" || lower == "or") {
      push(Kind::kSeparator, ",");
    } else if (functions().contains(run)) {
      push(Kind::kCommand, run);
    } else if (is_short_word(lower) ||
               (run.size() >= 4 && !std::is_sorted(lower.begin(), lower.end()))) {
      push(Kind::kWord, lower);
    } else {
      for (char letter : run) push(Kind::kLetter, std::string(1, letter));
    }
  }

  void command() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_letter(text_[end])) ++end;
    if (end == at_ + 1) end = std::min(at_ + 2, text_.size());
    const std::string name(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end;
    if (name == "!" || name == "left" || name == "right") return;
    if (name == "{") ++depth_;
    if (name == "}" && depth_ > 0) --depth_;
    if (is_text_command(name)) {
      while (peek() == ' ') ++at_;
      if (peek() == '{') return text_argument();
      return;
    }
    push(Kind::kCommand, name);
  }

  void text_argument() {
    int depth = 0;
    const std::size_t from = at_ + 1;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '{') ++depth;
      if (text_[at_] == '}' && --depth == 0) break;
    }
    std::string inside(text_.substr(from, at_ - from));
    at_ = std::min(at_ + 1, text_.size());
    const std::string_view body = trim_ascii(inside);
    if (body.empty()) return;
    if (body == "," || body == "and" || body == "or" || body == ", and" || body == ",and") {
      push(Kind::kSeparator, ",");
      return;
    }
    // What has no word of two letters is notation: "(A)", "A,D", "13".
    bool words = false;
    for (std::size_t index = 0; index + 1 < body.size(); ++index) {
      words |= is_letter(body[index]) && is_letter(body[index + 1]);
    }
    const bool unit = body.size() == 1 && is_letter(body[0]) && after_operand();
    const bool mathematics = body.find('\\') != std::string_view::npos;
    if ((!words && !unit && body.find("p.m") == body.npos && body.find("a.m") == body.npos) ||
        functions().contains(body) || (mathematics && !words)) {
      Lexer inner(body, reading_);
      inner.depth_ = depth_;
      LatexTokens tokens = inner.run();
      tokens.tokens.pop_back();
      for (LatexToken& token : tokens.tokens) out_.tokens.push_back(std::move(token));
      return;
    }
    push(Kind::kWord, to_lower_ascii(body));
  }

  bool after_operand() const {
    if (out_.tokens.empty()) return false;
    const LatexToken& last = out_.tokens.back();
    return last.kind == Kind::kNumber || last.text == "}" || last.text == ")";
  }

  std::string_view text_;
  CommaReading reading_;
  LatexTokens out_;
  std::size_t at_ = 0;
  int depth_ = 0;        // of brackets in which a comma separates
  bool blank_ = false;   // white space before the next token
  bool joined_ = false;  // the number already has a group of thousands
};

}  // namespace

std::string latex_clean(std::string_view source) {
  std::string text(trim_ascii(source));
  // Dollar signs: escaped is currency; a single one before a digit too; others are delimiters.
  text = replace_all(text, "\\$", "\\currency ");
  if (std::count(text.begin(), text.end(), '$') == 1 && text.find('$') + 1 < text.size()) {
    text = replace_all(text, "$", "\\currency ");
  }
  text = replace_all(text, "\\\\", "\\newrow ");
  for (const auto& [from, to] : kReplaced) text = replace_all(text, from, to);
  text = replace_all(text, "$", "");
  text = drop_command(drop_command(text, "\\left"), "\\right");
  for (std::string_view wrapper :
       {"\\boxed", "\\mathbf", "\\mathbb", "\\bf", "\\rm", "\\large", "\\boldsymbol", "\\big"}) {
    text = drop_command(text, wrapper);
  }
  std::string_view body = trim_ascii(text);
  while (!body.empty() && (body.back() == '.' || body.back() == ',' || body.back() == ';')) {
    body = trim_ascii(body.substr(0, body.size() - 1));
  }
  return std::string(body);
}

LatexTokens latex_tokens(std::string_view text, CommaReading reading) {
  return Lexer(text, reading).run();
}

}  // namespace assay::evals
