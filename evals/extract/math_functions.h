// Functions of exact values: trigonometric ones and their inverses, powers with symbols above.
#pragma once

#include <optional>
#include <string>

#include "evals/extract/math_field.h"

namespace assay::evals {

struct CosSin {
  Fraction cos;
  Fraction sin;
};

/// Of an angle in radians. Sums and multiples of angles are expanded; multiples of 15 and 18
/// degrees are roots, and other rational parts of pi are led back to angles below 45 degrees.
/// Throws: MathRefused beyond the bounds.
CosSin cos_sin(MathField& field, const Fraction& angle);

/// "arcsin", "arccos" or "arctan" of the values that the functions take at multiples of 15 degrees;
/// nothing for any other.
std::optional<Fraction> inverse_of(MathField& field, const std::string& name,
                                   const Fraction& value);

/// base^exponent where the exponent is no rational: sums above become products, products of
/// integers below too, and e^(i pi r) the point on the circle.
Fraction symbolic_power(MathField& field, const Fraction& base, const Fraction& exponent);

}  // namespace assay::evals
