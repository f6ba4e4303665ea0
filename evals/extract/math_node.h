// A mathematical answer as a tree: what the parser of LaTeX and plain text makes, and what the
// grader compares. Values own their children.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::evals {

struct MathNode {
  enum class Kind {
    kNumber,     // text: digits with an optional point; "0.1(6)" has a repeating part
    kSymbol,     // text: letter, greek name, "x_1", "infty"
    kWord,       // text: words in lower case, one blank between
    kSum,        // items
    kNegate,     // items[0]
    kProduct,    // items
    kQuotient,   // items[0] / items[1]
    kPower,      // items[0] ^ items[1]
    kCall,       // text: function; items: arguments
    kDegree,     // items[0] degrees
    kUnit,       // items[0] with unit `text` ("percent", "dollar", "cm^2")
    kPlusMinus,  // text "+-" or "-+"; items[0] the term, its first summand (if any) is outside
    kTuple,      // text: brackets, as "()" or "[)"; items
    kSet,        // items
    kList,       // items, in any order
    kRelation,   // text: operators separated by blanks; items: one more than operators
    kUnion,      // items
    kSetMinus,   // items[0] without items[1]
    kMatrix,     // text: number of columns; items by rows
    kBased,      // text: "digits_base"
    kRatio,      // items; text "time" when it can be read as a time of day
    kTime,       // text: "4:30 pm"
  };
  Kind kind = Kind::kNumber;
  std::string text;
  std::vector<MathNode> items;
};

enum class CommaReading {
  kThousands,  // "10,000" outside brackets is one number
  kList,       // it is two
};

struct ParsedMath {
  MathNode node;
  bool ambiguous_comma = false;  // the other reading of a comma differs
  bool has_list = false;         // a comma, "and" or "or" that separates for certain
};

/// Nothing for text that is no answer the grammar knows, is longer than 8192 bytes or nests deeper
/// than 40. Work is linear in the length.
std::optional<ParsedMath> parse_math(std::string_view text, CommaReading reading);

/// Words and signs alone, lower case, for answers that are text: "\text{(A)}" and "(a)" alike.
std::string text_form(std::string_view text);

}  // namespace assay::evals
