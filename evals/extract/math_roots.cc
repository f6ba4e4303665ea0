// Roots: of integers by their primes, of sums by denesting, else as generators with a relation.
#include <numeric>

#include "evals/extract/math_field.h"

namespace assay::evals {

Poly MathField::prime_root(const Poly& prime, std::int64_t k, std::int64_t exponent) {
  const Fraction value{prime, Poly(1)};
  const std::string name = "root" + std::to_string(k);
  std::size_t found = generators_.size();
  for (std::size_t index = 0; index < generators_.size(); ++index) {
    const Generator& made = generators_[index];
    if (made.name == name && made.radicand.num == prime && made.radicand.den == Poly(1)) {
      found = index;
    }
  }
  if (found == generators_.size()) {
    Generator made{
        .name = name, .arguments = {value}, .degree = k, .relation = prime, .radicand = value};
    found = add_generator(std::move(made));
  }
  Poly out = generator(found);
  fmpz_mpoly_pow_ui(out.get(), out.get(), static_cast<ulong>(exponent), poly_context());
  return out;
}

/// Root of a positive integer: primes up to a bound one by one, what is left as if it were prime.
Fraction MathField::integer_root(const Poly& integer, std::int64_t k) {
  Integer rest = integer.integer();
  if (fmpz_bits(rest.get()) > 4096) throw MathRefused{};
  charge(100 * static_cast<std::int64_t>(fmpz_bits(rest.get())) + 1000);
  Fraction out{Poly(1), Poly(1)};
  const auto take = [&](const Integer& prime, std::int64_t count) {
    Poly whole{prime};
    out = multiply(out, power({whole, Poly(1)}, count / k));
    const std::int64_t left = count % k;
    if (left == 0) return;
    const std::int64_t common = std::gcd(left, k);
    out = multiply(out, {prime_root(whole, k / common, left / common), Poly(1)});
  };
  for (ulong prime = 2; prime < kTrialPrimes && fmpz_is_one(rest.get()) == 0; ++prime) {
    Integer divisor(static_cast<slong>(prime));
    std::int64_t count = 0;
    while (fmpz_divisible(rest.get(), divisor.get()) != 0) {
      fmpz_divexact(rest.get(), rest.get(), divisor.get());
      ++count;
    }
    if (count > 0) take(divisor, count);
  }
  if (fmpz_is_one(rest.get()) != 0) return out;
  Integer base;
  const int exponent = fmpz_is_perfect_power(base.get(), rest.get());
  exponent > 0 ? take(base, exponent) : take(rest, 1);
  return out;
}

/// A generator r with r^k = n d^(k-1), where the radicand is n / d; the root is r / d.
Fraction MathField::general_root(const Fraction& value, std::int64_t k) {
  const std::string name = "root" + std::to_string(k);
  for (std::size_t index = 0; index < generators_.size(); ++index) {
    if (generators_[index].name != name) continue;
    const Fraction known = generators_[index].radicand;
    if (!equal(known, value)) continue;
    return tidy({generator(index), generators_[index].scale});
  }
  Poly relation = value.num;
  for (std::int64_t step = 1; step < k; ++step) relation = product(relation, value.den);
  relation = reduce(std::move(relation));
  if (relation.terms() > 64) throw MathRefused{};
  Generator made{.name = name,
                 .arguments = {value},
                 .degree = k,
                 .relation = relation,
                 .radicand = value,
                 .scale = value.den};
  const std::size_t index = add_generator(std::move(made));
  return tidy({generator(index), value.den});
}

Fraction MathField::root(const Fraction& value, std::int64_t k) {
  if (k < 1 || k > 24) throw MathRefused{};
  if (k == 1 || is_zero(value)) return value;
  const std::optional<int> side = sign(value);
  if (side && *side < 0) {
    const Fraction positive = root(subtract({Poly(0), Poly(1)}, value), k);
    if (k % 2 == 1) return subtract({Poly(0), Poly(1)}, positive);
    if (k == 2) return multiply(symbol("i"), positive);
    throw MathRefused{};
  }
  // Positive content comes out of the root: n / d = (c / d) (n / c), c and d integers.
  Integer content;
  Integer common;
  for (slong term = 0; term < value.num.terms(); ++term) {
    Integer coefficient;
    fmpz_mpoly_get_term_coeff_fmpz(coefficient.get(), value.num.get(), term, poly_context());
    fmpz_gcd(common.get(), common.get(), coefficient.get());
  }
  content = common;
  if (k == 2) {
    if (const std::optional<Fraction> sum = denested_root(value)) return *sum;
  }
  const bool integer_den = value.den.constant();
  Fraction outer = integer_root(Poly(content), k);
  if (integer_den) outer = divide(outer, integer_root(value.den, k));
  Fraction inner{value.num, integer_den ? Poly(1) : value.den};
  fmpz_mpoly_scalar_divexact_fmpz(inner.num.get(), inner.num.get(), content.get(), poly_context());
  if (inner.num == Poly(1) && inner.den == Poly(1)) return outer;
  return multiply(outer, general_root(inner, k));
}

std::optional<Fraction> MathField::denested_root(const Fraction& value) {
  if (!value.den.constant() || value.num.terms() != 2) return std::nullopt;
  Fraction rational{Poly(0), Poly(1)};
  for (const Term& term : terms(value.num)) {
    if (term.monomial == Poly(1)) rational = tidy({Poly(term.coefficient), value.den});
  }
  if (is_zero(rational)) return std::nullopt;
  const Fraction rest = subtract(value, rational);
  const Fraction square = multiply(rest, rest);
  if (!is_rational(square)) return std::nullopt;
  // sqrt(a + b) = sqrt((a + d) / 2) + sign(b) sqrt((a - d) / 2) with d^2 = a^2 - b^2
  const Fraction difference = subtract(multiply(rational, rational), square);
  const std::optional<int> side = sign(rest);
  if (!side || sign(difference).value_or(-1) < 0 || sign(rational).value_or(-1) < 0) {
    return std::nullopt;
  }
  const Fraction d = root(difference, 2);
  if (!is_rational(d)) return std::nullopt;
  const Fraction two{Poly(2), Poly(1)};
  const Fraction first = root(divide(add(rational, d), two), 2);
  const Fraction second = root(divide(subtract(rational, d), two), 2);
  return *side < 0 ? subtract(first, second) : add(first, second);
}

Poly MathField::conjugate(const Poly& value, std::size_t index) const {
  Poly without;  // the part that does not hold the generator, whose degree is 1 at most
  const Integer zero;
  fmpz_mpoly_evaluate_one_fmpz(without.get(), value.get(), variable(index), zero.get(),
                               poly_context());
  Poly out;
  fmpz_mpoly_scalar_mul_si(out.get(), without.get(), 2, poly_context());
  fmpz_mpoly_sub(out.get(), out.get(), value.get(), poly_context());
  return out;
}

std::optional<Fraction> MathField::modulus(const Fraction& value) {
  std::size_t index = 0;
  while (index < generators_.size() && generators_[index].name != "i") ++index;
  if (index == generators_.size()) return std::nullopt;
  const auto square = [&](const Poly& part) -> Fraction {
    return {reduce(product(part, conjugate(part, index))), Poly(1)};
  };
  const Fraction norm = divide(square(value.num), square(value.den));
  // With a sign it is a real constant; then so are both parts, whose squares it adds.
  return sign(norm) ? std::optional(root(norm, 2)) : std::nullopt;
}

}  // namespace assay::evals
