// A recursive-descent reader of Python 3.11 that keeps nothing but what later rules ask about an
// expression. Expressions are in python_parser.cc, patterns in python_patterns.cc, statements in
// python_syntax.cc.
#pragma once

#include <cstddef>
#include <string_view>

#include "evals/humaneval/python_tokens.h"

namespace assay::evals::humaneval {

/// Thrown where the grammar is not followed.
struct PythonFault {};

/// What an expression can stand for.
struct PythonValue {
  bool target = false;  // may be assigned to, as in "a, *b = x"
  bool single = false;  // a name, attribute or subscript: may be augmented and annotated
  bool deletable = false;
  bool name = false;  // a bare name
  bool starred = false;
};

class PythonParser {
 public:
  explicit PythonParser(std::string_view source) : tokens_(source) {}

  const PythonToken& peek(std::size_t ahead = 0) { return tokens_.at(pos_ + ahead); }
  bool next_is(std::string_view text, std::size_t ahead = 0);
  bool next_is(PythonTokenKind kind, std::size_t ahead = 0) { return peek(ahead).kind == kind; }
  bool accept(std::string_view text);
  void expect(std::string_view text);
  void expect(PythonTokenKind kind);
  void expect_name();
  bool at_keyword_name(std::string_view soft);  // a soft keyword: a name with this text

  std::size_t position() const { return pos_; }
  void go_back(std::size_t position) { pos_ = position; }

  PythonValue star_expressions();
  PythonValue star_targets();  // up to "in"
  PythonValue yield_or_star_expressions();
  PythonValue named_expression();
  PythonValue star_named_expression();
  PythonValue expression();
  void arguments();  // after "(" up to and with ")"
  void parameters(std::string_view close, bool annotated);
  void patterns();  // open sequence pattern

 private:
  /// Counts the depth of the recursion.
  class Nesting {
   public:
    explicit Nesting(PythonParser& parser) : parser_(parser) {
      constexpr int kMaxNesting = 150;
      if (++parser_.depth_ > kMaxNesting) throw PythonFault{};
    }
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    PythonParser& parser_;
  };

  PythonValue list_of(PythonValue (PythonParser::*item)(), bool (PythonParser::*ends)());
  bool at_end_of_list();
  bool at_in();
  PythonValue star_expression();
  PythonValue star_target();
  PythonValue binary(std::size_t level);
  PythonValue comparison();
  PythonValue inversion();
  PythonValue conjunction();
  PythonValue disjunction();
  PythonValue factor();
  PythonValue primary();
  PythonValue atom();
  PythonValue strings();
  PythonValue group();
  PythonValue list();
  PythonValue braces();
  void dictionary_item();
  void slices();
  void slice();
  void lambda();
  bool comprehension();
  void pattern();
  void closed_pattern();
  void pattern_arguments();
  void mapping_pattern();
  void pattern_number();

  PythonTokens tokens_;
  std::size_t pos_ = 0;
  int depth_ = 0;
};

}  // namespace assay::evals::humaneval
