// Patterns of `match` statements.
#include "evals/humaneval/python_parser.h"

// NOLINTBEGIN(misc-no-recursion)
namespace assay::evals::humaneval {
namespace {

using Kind = PythonTokenKind;
using View = std::string_view;

[[noreturn]] void fail() { throw PythonFault{}; }

}  // namespace

void PythonParser::patterns() {
  const auto item = [this] {
    if (accept("*")) {
      expect_name();
    } else {
      pattern();
    }
  };
  const bool starred = next_is("*");
  item();
  if (starred && !next_is(",")) fail();
  while (accept(",") && !next_is(":") && !next_is("if")) item();
}

void PythonParser::pattern() {
  const Nesting nesting(*this);
  do {
    closed_pattern();
  } while (accept("|"));
  if (accept("as")) expect_name();
}

/// A number with a sign and an imaginary part.
void PythonParser::pattern_number() {
  accept("-");
  expect(Kind::kNumber);
  if (accept("+") || accept("-")) expect(Kind::kNumber);
}

void PythonParser::closed_pattern() {
  if (next_is("-") || peek().kind == Kind::kNumber) {
    pattern_number();
  } else if (peek().kind == Kind::kString) {
    strings();
  } else if (accept("(") || accept("[")) {
    const View close = tokens_.at(pos_ - 1).text == "(" ? ")" : "]";
    while (!accept(close)) {
      if (accept("*")) {
        expect_name();
      } else {
        pattern();
      }
      if (!accept(",") && !next_is(close)) fail();
    }
  } else if (accept("{")) {
    mapping_pattern();
  } else if (!accept("None") && !accept("True") && !accept("False")) {
    expect_name();
    while (accept(".")) expect_name();
    if (accept("(")) pattern_arguments();
  }
}

void PythonParser::mapping_pattern() {
  while (!accept("}")) {
    if (accept("**")) {
      expect_name();
    } else {
      closed_pattern();
      expect(":");
      pattern();
    }
    if (!accept(",") && !next_is("}")) fail();
  }
}

void PythonParser::pattern_arguments() {
  bool keywords = false;
  while (!accept(")")) {
    if (peek().kind == Kind::kName && next_is("=", 1)) {
      pos_ += 2;
      keywords = true;
    } else if (keywords) {
      fail();
    }
    pattern();
    if (!accept(",") && !next_is(")")) fail();
  }
}

}  // namespace assay::evals::humaneval
// NOLINTEND(misc-no-recursion)
