// One text for each value: terms sorted by the names of their generators.
#include <algorithm>

#include "evals/extract/math_field.h"

namespace assay::evals {
namespace {

std::string text_of(const Integer& value) {
  constexpr std::size_t kMaxDigits = 20'000;
  if (fmpz_sizeinbase(value.get(), 10) > kMaxDigits) throw MathRefused{};
  char* digits = fmpz_get_str(nullptr, 10, value.get());
  std::string out = digits;
  flint_free(digits);
  return out;
}

}  // namespace

std::string MathField::canonical(const Poly& value) {
  std::vector<std::string> parts;
  for (const Term& term : terms(value)) {
    std::vector<std::string> factors;
    for (std::size_t index = 0; index < generators_.size(); ++index) {
      const ulong exponent =
          fmpz_mpoly_get_term_var_exp_ui(term.monomial.get(), 0, variable(index), poly_context());
      if (exponent == 0) continue;
      const Generator made = generators_[index];
      std::string name = made.name;
      for (const Fraction& argument : made.arguments) name += "(" + canonical(argument) + ")";
      factors.push_back(name + "^" + std::to_string(exponent));
    }
    std::sort(factors.begin(), factors.end());
    std::string part;
    for (const std::string& factor : factors) part += factor + "*";
    parts.push_back(part + text_of(term.coefficient));
    charge(100);
  }
  std::sort(parts.begin(), parts.end());
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "+") + part;
  return out.empty() ? "0" : out;
}

std::string MathField::canonical(const Fraction& given) {
  Fraction value = given;
  // Roots leave the denominator, so that 1/sqrt(2) and sqrt(2)/2 are one.
  for (std::size_t index = 0; index < generators_.size(); ++index) {
    if (generators_[index].degree != 2) continue;
    if (fmpz_mpoly_degree_si(value.den.get(), variable(index), poly_context()) <= 0) continue;
    const Poly turned = conjugate(value.den, index);
    const Fraction better{product(value.num, turned), product(value.den, turned)};
    if (!reduce(better.den).zero()) value = tidy(better);
  }
  // The sign of a fraction stands above: the first term below is positive.
  std::string below = canonical(value.den);
  const std::size_t star = below.substr(0, below.find('+')).rfind('*');
  if (below[star == std::string::npos ? 0 : star + 1] == '-') {
    fmpz_mpoly_neg(value.num.get(), value.num.get(), poly_context());
    fmpz_mpoly_neg(value.den.get(), value.den.get(), poly_context());
    below = canonical(value.den);
  }
  const std::string above = canonical(value.num);
  return below == "1" ? above : above + "/" + below;
}

}  // namespace assay::evals
