// Exact arithmetic for the grader: fractions of polynomials over the integers in generators that
// are either free (symbols, pi, e, logarithms, unknown functions) or algebraic (i, roots) with a
// relation g^k = lower polynomial. A difference is zero only if its numerator reduces to zero by
// these relations: that is a proof. Work is bounded; what would pass a bound throws MathRefused.
// Not thread-safe; one object a comparison.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evals/extract/flint_poly.h"

namespace assay::evals {

/// Primes below are divided out one by one; what is left counts as if it were prime.
constexpr ulong kTrialPrimes = 2000;

/// The comparison would need more than the bounds allow, or has no meaning (division by zero).
struct MathRefused {};

struct Fraction {
  Poly num;
  Poly den{1};
};

class MathField {
 public:
  Fraction add(const Fraction& a, const Fraction& b);
  Fraction subtract(const Fraction& a, const Fraction& b);
  Fraction multiply(const Fraction& a, const Fraction& b);
  Fraction divide(const Fraction& a, const Fraction& b);
  Fraction power(const Fraction& base, std::int64_t exponent);
  /// The real root of a negative rational for odd k, else the principal one.
  Fraction root(const Fraction& value, std::int64_t k);
  /// A generator known by its name alone.
  Fraction symbol(const std::string& name);
  /// A generator known by function and arguments; equal arguments give the same one.
  Fraction call(const std::string& name, const std::vector<Fraction>& arguments);
  /// The absolute value of a complex constant whose parts are real; nothing for anything else.
  std::optional<Fraction> modulus(const Fraction& value);
  /// One text for equal values wherever the relations of quadratic generators are enough to show
  /// it; different values never share one.
  std::string canonical(const Fraction& value);
  struct Term {
    Integer coefficient;
    Poly monomial;
  };
  static std::vector<Term> terms(const Poly& value);
  /// Logarithm of a positive rational as a sum over primes.
  std::optional<Fraction> log_rational(const Fraction& value);

  bool is_zero(const Fraction& value);
  bool equal(const Fraction& a, const Fraction& b) { return is_zero(subtract(a, b)); }
  /// a = c b with a constant c of integers; positive if asked.
  bool proportional(const Fraction& a, const Fraction& b, bool positive);
  /// Sign of a real constant; nothing when it is no such constant.
  std::optional<int> sign(const Fraction& value);
  /// Largest integer that is not greater; nothing unless a real constant.
  std::optional<Fraction> floor(const Fraction& value);
  /// The value as a rational, if it is one.
  static bool is_rational(const Fraction& value);
  static std::optional<std::int64_t> small_integer(const Fraction& value);
  void charge(std::int64_t work);

 private:
  struct Generator {
    std::string name;
    std::vector<Fraction> arguments;
    std::int64_t degree = 0;  // of the relation; 0 for free generators
    Poly relation;            // generator^degree equals this
    Fraction radicand;        // of roots
    Poly scale{1};            // of roots: generator = scale * principal root of radicand
  };

  Poly product(const Poly& a, const Poly& b);
  Poly reduce(Poly value);
  Fraction tidy(Fraction value);
  Poly generator(std::size_t index) const;
  static slong variable(std::size_t index);
  std::size_t add_generator(Generator generator);
  Poly prime_root(const Poly& prime, std::int64_t k, std::int64_t exponent);
  Fraction integer_root(const Poly& integer, std::int64_t k);
  Fraction general_root(const Fraction& value, std::int64_t k);
  /// The square root of a + b as a sum of two roots, where a and b^2 are rational and fit.
  std::optional<Fraction> denested_root(const Fraction& value);
  /// `value` with the sign of a generator of degree 2 turned.
  Poly conjugate(const Poly& value, std::size_t index) const;
  std::string canonical(const Poly& value);
  /// A certified enclosure of a real constant; false where a generator has no value.
  bool enclose(const Fraction& value, long bits, Ball& ball);
  bool enclose(const Poly& value, long bits, Ball& ball);
  bool enclose_generator(std::size_t index, long bits, Ball& ball);

  std::vector<Generator> generators_;
  std::int64_t work_left_ = 20'000'000;
};

}  // namespace assay::evals
