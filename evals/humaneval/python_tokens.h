// Tokens of Python 3.11 source, made as the parser asks for them.
// Source: The Python Language Reference 3.11, chapter 2. Pure; no thread shares an object.
#pragma once

#include <cstddef>
#include <deque>
#include <string_view>
#include <vector>

namespace assay::evals::humaneval {

enum class PythonTokenKind {
  kName,
  kKeyword,
  kNumber,
  kString,
  kOperator,
  kNewline,
  kIndent,
  kDedent,
  kEnd,
  kError
};

struct PythonToken {
  PythonTokenKind kind = PythonTokenKind::kEnd;
  std::string_view text;
  std::size_t line = 0;  // from 0
};

class PythonTokens {
 public:
  /// `source` outlives the object.
  explicit PythonTokens(std::string_view source) : source_(source) {}

  /// Token number `index`; after the last one, or the first error, always that one again.
  const PythonToken& at(std::size_t index);

 private:
  void next();
  bool start_line();
  void push(PythonTokenKind kind, std::size_t size);
  void fail();
  bool read_string(std::size_t prefix);
  std::size_t number_size() const;
  std::size_t name_size() const;
  std::size_t operator_size() const;

  std::string_view source_;
  std::size_t pos_ = 0;
  std::size_t line_ = 0;
  std::vector<char> brackets_;  // the closing ones that are due
  bool line_start_ = true;
  bool done_ = false;
  struct Indent {
    std::size_t column;       // with tabs to multiples of 8
    std::size_t alternative;  // with tabs as one: both must agree on deeper and shallower
  };
  std::vector<Indent> indents_ = {{0, 0}};
  std::deque<PythonToken> tokens_;
};

/// A string literal with its prefix and quotes: escapes and, in f-strings, the fields are well
/// formed. `is_expression` judges the text of a field.
bool is_python_string(std::string_view literal, bool (*is_expression)(std::string_view));
/// Whether the literal's prefix has a `b`.
bool is_python_bytes(std::string_view literal);

}  // namespace assay::evals::humaneval
