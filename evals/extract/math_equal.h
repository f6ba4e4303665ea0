// Are two mathematical answers the same? Our own grader: both are parsed to trees, structures are
// compared part by part, and scalars by an exact proof that their difference is zero. No floating
// point and no clock decides: equal inputs give equal verdicts on every machine. docs/math.md says
// what is held equal and apart.
#pragma once

#include <span>
#include <string_view>

namespace assay::evals {

/// Pairs that graders decide differently; the defaults are ours.
struct MathEqualOptions {
  bool percent_is_hundredth = false;  // 50% is 0.5 (and 50% is no longer 50)
  bool degrees_are_radians = false;   // 180 degrees are pi
  bool rounded_is_equal = false;      // 0.333 is 1/3: half a unit of the last decimal apart at most
  bool unreduced_is_equal = true;     // 2/4 is 1/2
  bool ignore_brackets = false;       // (1,2), [1,2] and 1,2 are one
  bool vector_is_tuple = false;       // a matrix of one column is (1,2)
  bool set_is_list = true;            // {1,2} is 1,2
  bool ignore_base = false;           // 204 in base 5 is 204
  bool ratio_is_fraction = false;     // 3:4 is 3/4
  bool equation_is_value = true;      // y = 2x+3 is 2x+3, where the left side is one letter
  bool inequality_is_interval = true;  // 0 < x < 1 is (0,1)
  bool plus_minus_is_list = true;      // +-2 is 2, -2
  bool differing_units_equal = false;  // 10 cm is 10 m
};

struct MathEqualRule {
  std::string_view name;
  bool MathEqualOptions::*value;
};
/// Every option by its name.
std::span<const MathEqualRule> math_equal_rules();

/// Symmetric in meaning, though `gold` names the side that is right. Any text is accepted; what
/// cannot be parsed, or not within the bounds, equals only the same text. Thread-safe.
bool math_equal(std::string_view gold, std::string_view prediction,
                const MathEqualOptions& options = {});

}  // namespace assay::evals
