#include "evals/humaneval/python_syntax.h"

#include "evals/humaneval/python_parser.h"

// Statements nest by indentation, which the tokens bound.
// NOLINTBEGIN(misc-no-recursion)
namespace assay::evals::humaneval {
namespace {

using Kind = PythonTokenKind;
using View = std::string_view;

[[noreturn]] void fail() { throw PythonFault{}; }

class Program {
 public:
  explicit Program(View source) : p_(source) {}

  void file() {
    while (!p_.next_is(Kind::kEnd)) statement();
  }
  const PythonToken& reached() { return p_.peek(); }

 private:
  void statement() {
    if (!compound()) simple_statements();
  }

  bool compound() {
    if (p_.next_is("@")) {
      decorated();
    } else if (p_.next_is("async")) {
      p_.expect("async");
      if (!p_.next_is("def") && !p_.next_is("for") && !p_.next_is("with")) fail();
      return compound();
    } else if (p_.accept("def")) {
      function();
    } else if (p_.accept("class")) {
      class_definition();
    } else if (p_.accept("if")) {
      condition();
    } else if (p_.accept("while")) {
      p_.named_expression();
      block();
      if (p_.accept("else")) block();
    } else if (p_.accept("for")) {
      p_.star_targets();
      p_.expect("in");
      p_.star_expressions();
      block();
      if (p_.accept("else")) block();
    } else if (p_.accept("with")) {
      with_items();
      block();
    } else if (p_.accept("try")) {
      attempt();
    } else if (p_.at_keyword_name("match")) {
      return match();
    } else {
      return false;
    }
    return true;
  }

  void block() {
    p_.expect(":");
    if (!p_.next_is(Kind::kNewline)) {
      simple_statements();
      return;
    }
    p_.expect(Kind::kNewline);
    p_.expect(Kind::kIndent);
    while (!p_.next_is(Kind::kDedent)) statement();
    p_.expect(Kind::kDedent);
  }

  void decorated() {
    while (p_.accept("@")) {
      p_.named_expression();
      p_.expect(Kind::kNewline);
    }
    p_.accept("async");
    if (!p_.next_is("def") && !p_.next_is("class")) fail();
    compound();
  }

  void function() {
    p_.expect_name();
    p_.expect("(");
    p_.parameters(")", true);
    if (p_.accept("->")) p_.expression();
    block();
  }

  void class_definition() {
    p_.expect_name();
    if (p_.accept("(")) p_.arguments();
    block();
  }

  void condition() {
    p_.named_expression();
    block();
    if (p_.accept("elif")) {
      condition();
    } else if (p_.accept("else")) {
      block();
    }
  }

  void with_item() {
    p_.expression();
    if (p_.accept("as")) target();
  }

  void target() {
    // A target ends where an expression of its kind ends; "in" cannot follow it here.
    const PythonValue value = p_.star_named_expression();
    if (!value.target || value.starred) fail();
  }

  /// Items in brackets, if a colon follows them, else without.
  void with_items() {
    const std::size_t start = p_.position();
    if (p_.accept("(")) {
      try {
        do {
          if (p_.next_is(")")) break;
          with_item();
        } while (p_.accept(","));
        p_.expect(")");
        if (p_.next_is(":")) return;
      } catch (const PythonFault&) {  // brackets of an expression
      }
      p_.go_back(start);
    }
    do {
      with_item();
    } while (p_.accept(","));
  }

  void attempt() {
    block();
    bool handled = false;
    bool catch_all = false;
    while (p_.accept("except")) {
      if (catch_all) fail();
      const bool group = p_.accept("*");
      if (!p_.next_is(":")) {
        p_.expression();
        if (p_.accept("as")) p_.expect_name();
      } else {
        if (group) fail();
        catch_all = true;
      }
      block();
      handled = true;
    }
    if (handled && p_.accept("else")) block();
    if (p_.accept("finally")) {
      block();
    } else if (!handled) {
      fail();
    }
  }

  /// "match" is a name where no block of cases follows.
  bool match() {
    const std::size_t start = p_.position();
    try {
      p_.expect_name();
      p_.star_expressions();
      p_.expect(":");
      p_.expect(Kind::kNewline);
      p_.expect(Kind::kIndent);
      if (!p_.at_keyword_name("case")) fail();
    } catch (const PythonFault&) {
      p_.go_back(start);
      return false;
    }
    while (!p_.next_is(Kind::kDedent)) {
      if (!p_.at_keyword_name("case")) fail();
      p_.expect_name();
      p_.patterns();
      if (p_.accept("if")) p_.named_expression();
      block();
    }
    p_.expect(Kind::kDedent);
    return true;
  }

  void simple_statements() {
    do {
      if (p_.next_is(Kind::kNewline)) break;
      simple_statement();
    } while (p_.accept(";"));
    p_.expect(Kind::kNewline);
  }

  void simple_statement() {
    if (p_.accept("pass") || p_.accept("break") || p_.accept("continue")) return;
    if (p_.accept("return")) {
      if (!ends()) p_.star_expressions();
    } else if (p_.accept("import")) {
      import();
    } else if (p_.accept("from")) {
      import_from();
    } else if (p_.accept("raise")) {
      if (ends()) return;
      p_.expression();
      if (p_.accept("from")) p_.expression();
    } else if (p_.accept("global") || p_.accept("nonlocal")) {
      p_.expect_name();
      while (p_.accept(",")) p_.expect_name();
    } else if (p_.accept("del")) {
      if (!p_.star_expressions().deletable) fail();
    } else if (p_.accept("assert")) {
      p_.expression();
      if (p_.accept(",")) p_.expression();
    } else {
      assignment();
    }
  }

  bool ends() { return p_.next_is(Kind::kNewline) || p_.next_is(";"); }

  bool augments() {
    const PythonToken& token = p_.peek();
    if (token.kind != Kind::kOperator || token.text.size() < 2 || token.text.back() != '=') {
      return false;
    }
    return token.text != "==" && token.text != "!=" && token.text != "<=" && token.text != ">=" &&
           token.text != ":=";
  }

  void assignment() {
    PythonValue value = p_.yield_or_star_expressions();
    if (p_.accept(":")) {
      if (!value.single) fail();
      p_.expression();
      if (p_.accept("=")) p_.yield_or_star_expressions();
      return;
    }
    if (augments()) {
      if (!value.single) fail();
      p_.go_back(p_.position() + 1);
      p_.yield_or_star_expressions();
      return;
    }
    while (p_.accept("=")) {
      if (!value.target) fail();
      value = p_.yield_or_star_expressions();
    }
  }

  void dotted_name() {
    p_.expect_name();
    while (p_.accept(".")) p_.expect_name();
  }

  void import() {
    do {
      dotted_name();
      if (p_.accept("as")) p_.expect_name();
    } while (p_.accept(","));
  }

  void import_from() {
    bool dots = false;
    while (p_.accept(".") || p_.accept("...")) dots = true;
    if (!dots || !p_.next_is("import")) dotted_name();
    p_.expect("import");
    if (p_.accept("*")) return;
    const bool brackets = p_.accept("(");
    do {
      if (brackets && p_.next_is(")")) break;
      p_.expect_name();
      if (p_.accept("as")) p_.expect_name();
    } while (p_.accept(","));
    if (brackets) p_.expect(")");
  }

  PythonParser p_;
};

}  // namespace

bool is_python(View source, std::size_t* fault_line) {
  Program program(source);
  try {
    if (source.find('\0') != View::npos) fail();
    program.file();
    return true;
  } catch (const PythonFault&) {
    const PythonToken& token = program.reached();
    if (fault_line != nullptr) {
      const bool at_end =
          token.kind == Kind::kEnd || token.kind == Kind::kError || token.text.empty();
      *fault_line = at_end ? View::npos : token.line;
    }
    return false;
  }
}

}  // namespace assay::evals::humaneval
// NOLINTEND(misc-no-recursion)
