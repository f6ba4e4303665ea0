// From a scalar tree to an exact fraction, with the units met on the way.
#pragma once

#include <set>
#include <string>

#include "evals/extract/math_field.h"
#include "evals/extract/math_node.h"

namespace assay::evals {

struct MathScalar {
  Fraction value;
  std::set<std::string> units;  // "degree", "percent", "dollar", "cm^2" ...
};

/// Throws: MathRefused for trees that are no scalar and beyond the bounds.
MathScalar evaluate_scalar(MathField& field, const MathNode& node);

}  // namespace assay::evals
