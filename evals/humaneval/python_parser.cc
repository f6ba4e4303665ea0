#include "evals/humaneval/python_parser.h"

#include <array>
#include <string>

// The grammar is recursive, and so is its reader; Nesting bounds it.
// NOLINTBEGIN(misc-no-recursion)
namespace assay::evals::humaneval {
namespace {

using Kind = PythonTokenKind;
using View = std::string_view;

constexpr PythonValue kPlain = {};
constexpr PythonValue kPlace = {.target = true, .single = true, .deletable = true};
constexpr PythonValue kName = {.target = true, .single = true, .deletable = true, .name = true};

[[noreturn]] void fail() { throw PythonFault{}; }

bool is_expression(View text) {
  try {
    // As in CPython, a field is read inside brackets, where line breaks are blanks.
    const std::string bracketed = "(" + std::string(text) + "\n)";
    PythonParser parser(bracketed);
    parser.expect("(");
    parser.yield_or_star_expressions();
    parser.expect(")");
    return parser.next_is(Kind::kNewline) || parser.next_is(Kind::kEnd);
  } catch (const PythonFault&) {
    return false;
  }
}

}  // namespace

bool PythonParser::next_is(View text, std::size_t ahead) {
  const PythonToken& token = peek(ahead);
  return (token.kind == Kind::kOperator || token.kind == Kind::kKeyword) && token.text == text;
}

bool PythonParser::at_keyword_name(View soft) {
  return peek().kind == Kind::kName && peek().text == soft;
}

bool PythonParser::accept(View text) {
  if (!next_is(text)) return false;
  ++pos_;
  return true;
}

void PythonParser::expect(View text) {
  if (!accept(text)) fail();
}

void PythonParser::expect(Kind kind) {
  if (peek().kind != kind) fail();
  ++pos_;
}

void PythonParser::expect_name() { expect(Kind::kName); }

/// What may stand after the trailing comma of an open list of expressions.
bool PythonParser::at_end_of_list() {
  const PythonToken& token = peek();
  if (token.kind == Kind::kNewline || token.kind == Kind::kEnd) return true;
  for (const View end : {")", "]", "}", "=", ":", ";", "in"}) {
    if (next_is(end)) return true;
  }
  // "+=" and its like
  return token.kind == Kind::kOperator && token.text.size() >= 2 && token.text.back() == '=' &&
         token.text != "==" && token.text != "!=" && token.text != "<=" && token.text != ">=";
}

bool PythonParser::at_in() { return next_is("in"); }

/// `item (',' item)* [',']`; one item without a comma keeps its own value.
PythonValue PythonParser::list_of(PythonValue (PythonParser::*item)(),
                                  bool (PythonParser::*ends)()) {
  PythonValue first = (this->*item)();
  if (!next_is(",")) return first;
  PythonValue all{.target = first.target, .deletable = first.deletable && !first.starred};
  while (accept(",")) {
    if ((this->*ends)()) break;
    const PythonValue next = (this->*item)();
    all.target = all.target && next.target;
    all.deletable = all.deletable && next.deletable && !next.starred;
  }
  return all;
}

PythonValue PythonParser::star_expression() {
  if (!accept("*")) return expression();
  const PythonValue inner = binary(0);
  return {.target = inner.target && !inner.starred, .starred = true};
}

PythonValue PythonParser::star_expressions() {
  return list_of(&PythonParser::star_expression, &PythonParser::at_end_of_list);
}

PythonValue PythonParser::star_target() {
  if (!accept("*")) return primary();
  const PythonValue inner = primary();
  return {.target = inner.target, .starred = true};
}

PythonValue PythonParser::star_targets() {
  const PythonValue value = list_of(&PythonParser::star_target, &PythonParser::at_in);
  if (!value.target) fail();
  return value;
}

PythonValue PythonParser::yield_or_star_expressions() {
  if (!accept("yield")) return star_expressions();
  if (accept("from")) {
    expression();
  } else if (!at_end_of_list()) {
    star_expressions();
  }
  return kPlain;
}

PythonValue PythonParser::star_named_expression() {
  if (!accept("*")) return named_expression();
  const PythonValue inner = binary(0);
  return {.target = inner.target && !inner.starred, .starred = true};
}

PythonValue PythonParser::named_expression() {
  if (peek().kind == Kind::kName && next_is(":=", 1)) {
    pos_ += 2;
    expression();
    return kPlain;
  }
  return expression();
}

PythonValue PythonParser::expression() {
  const Nesting nesting(*this);
  if (next_is("lambda")) {
    lambda();
    return kPlain;
  }
  const PythonValue value = disjunction();
  if (!accept("if")) return value;
  disjunction();
  expect("else");
  expression();
  return kPlain;
}

void PythonParser::lambda() {
  expect("lambda");
  parameters(":", false);
  expression();
}

PythonValue PythonParser::disjunction() {
  PythonValue value = conjunction();
  while (accept("or")) {
    conjunction();
    value = kPlain;
  }
  return value;
}

PythonValue PythonParser::conjunction() {
  PythonValue value = inversion();
  while (accept("and")) {
    inversion();
    value = kPlain;
  }
  return value;
}

PythonValue PythonParser::inversion() {
  if (!accept("not")) return comparison();
  const Nesting nesting(*this);
  inversion();
  return kPlain;
}

PythonValue PythonParser::comparison() {
  PythonValue value = binary(0);
  for (;;) {
    if (next_is("not") && next_is("in", 1)) {
      pos_ += 2;
    } else if (accept("is")) {
      accept("not");
    } else if (!accept("==") && !accept("!=") && !accept("<=") && !accept(">=") && !accept("<") &&
               !accept(">") && !accept("in")) {
      return value;
    }
    binary(0);
    value = kPlain;
  }
}

/// Left-associative operators from "|" to "*", the loosest first.
PythonValue PythonParser::binary(std::size_t level) {
  static constexpr std::array<std::array<View, 5>, 6> kLevels = {
      {{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "//", "%", "@"}}};
  if (level == kLevels.size()) return factor();
  PythonValue value = binary(level + 1);
  for (;;) {
    bool found = false;
    for (const View op : kLevels[level]) found = found || (!op.empty() && accept(op));
    if (!found) return value;
    binary(level + 1);
    value = kPlain;
  }
}

PythonValue PythonParser::factor() {
  if (accept("+") || accept("-") || accept("~")) {
    const Nesting nesting(*this);
    factor();
    return kPlain;
  }
  const bool awaited = accept("await");
  const PythonValue value = primary();
  if (!accept("**")) return awaited ? kPlain : value;
  const Nesting nesting(*this);
  factor();
  return kPlain;
}

PythonValue PythonParser::primary() {
  const Nesting nesting(*this);
  PythonValue value = atom();
  for (;;) {
    if (accept(".")) {
      expect_name();
      value = kPlace;
    } else if (accept("(")) {
      arguments();
      value = kPlain;
    } else if (accept("[")) {
      slices();
      value = kPlace;
    } else {
      return value;
    }
  }
}

PythonValue PythonParser::atom() {
  const PythonToken& token = peek();
  switch (token.kind) {
    case Kind::kName:
      ++pos_;
      return kName;
    case Kind::kNumber:
      ++pos_;
      return kPlain;
    case Kind::kString:
      return strings();
    case Kind::kKeyword:
      if (accept("True") || accept("False") || accept("None")) return kPlain;
      fail();
    case Kind::kOperator:
      if (accept("...")) return kPlain;
      if (accept("(")) return group();
      if (accept("[")) return list();
      if (accept("{")) return braces();
      fail();
    default:
      fail();
  }
}

PythonValue PythonParser::strings() {
  const bool bytes = is_python_bytes(peek().text);
  for (; peek().kind == Kind::kString; ++pos_) {
    if (is_python_bytes(peek().text) != bytes) fail();
    if (!is_python_string(peek().text, is_expression)) fail();
  }
  return kPlain;
}

/// After "(": a tuple, an expression in brackets, a generator or a yield.
PythonValue PythonParser::group() {
  if (accept(")")) return {.target = true, .deletable = true};
  if (next_is("yield")) {
    yield_or_star_expressions();
    expect(")");
    return kPlain;
  }
  const PythonValue first = star_named_expression();
  if (comprehension()) {
    if (first.starred) fail();
    expect(")");
    return kPlain;
  }
  if (!next_is(",")) {
    if (first.starred) fail();
    expect(")");
    return {.target = first.target, .single = first.single, .deletable = first.deletable};
  }
  PythonValue all{.target = first.target, .deletable = first.deletable && !first.starred};
  while (accept(",")) {
    if (next_is(")")) break;
    const PythonValue next = star_named_expression();
    all.target = all.target && next.target;
    all.deletable = all.deletable && next.deletable && !next.starred;
  }
  expect(")");
  return all;
}

PythonValue PythonParser::list() {
  PythonValue all{.target = true, .deletable = true};
  if (accept("]")) return all;
  PythonValue item = star_named_expression();
  if (comprehension()) {
    if (item.starred) fail();
    expect("]");
    return kPlain;
  }
  for (;;) {
    all.target = all.target && item.target;
    all.deletable = all.deletable && item.deletable && !item.starred;
    if (!accept(",") || next_is("]")) break;
    item = star_named_expression();
  }
  expect("]");
  return all;
}

void PythonParser::dictionary_item() {
  if (accept("**")) {
    binary(0);
    return;
  }
  expression();
  expect(":");
  expression();
}

PythonValue PythonParser::braces() {
  if (accept("}")) return kPlain;
  const std::size_t start = pos_;
  bool dictionary = next_is("**");
  if (!dictionary) {
    dictionary = !star_named_expression().starred && next_is(":");
    pos_ = start;
  }
  const bool unpacked = next_is("**") || next_is("*");
  dictionary ? dictionary_item() : static_cast<void>(star_named_expression());
  if (comprehension()) {
    if (unpacked) fail();
    expect("}");
    return kPlain;
  }
  while (accept(",") && !next_is("}")) {
    dictionary ? dictionary_item() : static_cast<void>(star_named_expression());
  }
  expect("}");
  return kPlain;
}

/// After "[" of a subscript.
void PythonParser::slices() {
  do {
    if (next_is("]")) fail();
    slice();
  } while (accept(",") && !next_is("]"));
  expect("]");
}

void PythonParser::slice() {
  if (next_is("*")) {
    star_named_expression();
    return;
  }
  if (!next_is(":")) {
    named_expression();
    if (!next_is(":")) return;
  }
  expect(":");
  for (int part = 0; part < 2; ++part) {
    if (!next_is(":") && !next_is(",") && !next_is("]")) expression();
    if (part == 0 && !accept(":")) return;
  }
}

/// "for ... in ... [if ...]", repeated; false when there is none.
bool PythonParser::comprehension() {
  if (!next_is("for") && !(next_is("async") && next_is("for", 1))) return false;
  while (next_is("for") || next_is("async")) {
    accept("async");
    expect("for");
    star_targets();
    expect("in");
    disjunction();
    while (accept("if")) disjunction();
  }
  return true;
}

void PythonParser::arguments() {
  bool keywords = false;
  bool mapping = false;
  for (bool first = true; !accept(")"); first = false) {
    if (accept("**")) {
      expression();
      keywords = mapping = true;
    } else if (accept("*")) {
      if (mapping) fail();
      expression();
    } else if (peek().kind == Kind::kName && next_is("=", 1)) {
      pos_ += 2;
      expression();
      keywords = true;
    } else {
      if (keywords) fail();
      named_expression();
      if (comprehension()) {
        if (!first) fail();
        expect(")");
        return;
      }
    }
    if (!accept(",") && !next_is(")")) fail();
  }
}

/// Up to and with `close`: ")" of a function, ":" of a lambda.
void PythonParser::parameters(View close, bool annotated) {
  bool defaults = false;
  bool star = false;
  bool slash = false;
  bool any = false;
  bool name_due = false;  // after a bare "*"
  while (!accept(close)) {
    if (accept("**")) {
      if (name_due) fail();
      expect_name();
      if (annotated && accept(":")) expression();
      accept(",");
      expect(close);
      return;
    }
    if (accept("/")) {
      if (slash || star || !any) fail();
      slash = true;
    } else if (accept("*")) {
      if (star) fail();
      star = true;
      name_due = next_is(",");
      if (!name_due) {
        expect_name();
        if (annotated && accept(":")) star_expression();
      }
    } else {
      expect_name();
      any = true;
      name_due = false;
      if (annotated && accept(":")) expression();
      if (accept("=")) {
        expression();
        defaults = true;
      } else if (defaults && !star) {
        fail();
      }
    }
    if (!accept(",") && !next_is(close)) fail();
  }
  if (name_due) fail();
}

}  // namespace assay::evals::humaneval
// NOLINTEND(misc-no-recursion)
