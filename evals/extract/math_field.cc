#include "evals/extract/math_field.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace assay::evals {
namespace {

constexpr slong kMaxTerms = 2000;
constexpr std::int64_t kMaxBits = 40'000;
constexpr ulong kTrialPrimes = 2000;
constexpr std::array<long, 4> kPrecisions = {64, 256, 1024, 4096};

const fmpz_mpoly_ctx_struct* context() { return poly_context(); }

std::int64_t bits_of(const Poly& value) {
  return std::abs(static_cast<std::int64_t>(fmpz_mpoly_max_bits(value.get())));
}

slong variable(std::size_t index) { return kPolyVariables - 1 - static_cast<slong>(index); }

Poly plus(const Poly& a, const Poly& b, bool negate) {
  Poly out;
  if (negate) {
    fmpz_mpoly_sub(out.get(), a.get(), b.get(), context());
  } else {
    fmpz_mpoly_add(out.get(), a.get(), b.get(), context());
  }
  return out;
}

}  // namespace

void MathField::charge(std::int64_t work) {
  work_left_ -= work;
  if (work_left_ < 0) throw MathRefused{};
}

Poly MathField::product(const Poly& a, const Poly& b) {
  const std::int64_t limbs = (1 + bits_of(a) / 64) * (1 + bits_of(b) / 64);
  charge(a.terms() * b.terms() * limbs + 1);
  Poly out;
  fmpz_mpoly_mul(out.get(), a.get(), b.get(), context());
  if (out.terms() > kMaxTerms || bits_of(out) > kMaxBits) throw MathRefused{};
  return out;
}

Poly MathField::generator(std::size_t index) const {
  Poly out;
  fmpz_mpoly_gen(out.get(), variable(index), context());
  return out;
}

std::size_t MathField::add_generator(Generator made) {
  if (generators_.size() >= static_cast<std::size_t>(kPolyVariables)) throw MathRefused{};
  generators_.push_back(std::move(made));
  return generators_.size() - 1;
}

/// Normal form by the relations. Later generators are greater in the order, so each is divided out
/// once, from the last to the first.
Poly MathField::reduce(Poly value) {
  for (std::size_t index = generators_.size(); index-- > 0;) {
    const Generator& made = generators_[index];
    if (made.degree == 0) continue;
    if (fmpz_mpoly_degree_si(value.get(), variable(index), context()) < made.degree) continue;
    charge(value.terms() * made.relation.terms() * (1 + bits_of(value) / 64) * 8);
    Poly divisor = generator(index);
    fmpz_mpoly_pow_ui(divisor.get(), divisor.get(), static_cast<ulong>(made.degree), context());
    divisor = plus(divisor, made.relation, true);
    Poly quotient;
    Poly rest;
    fmpz_mpoly_divrem(quotient.get(), rest.get(), value.get(), divisor.get(), context());
    value = std::move(rest);
    if (value.terms() > kMaxTerms || bits_of(value) > kMaxBits) throw MathRefused{};
  }
  return value;
}

Fraction MathField::tidy(Fraction value) {
  value.num = reduce(std::move(value.num));
  value.den = reduce(std::move(value.den));
  if (value.den.zero()) throw MathRefused{};
  if (value.num.terms() * value.den.terms() <= 400) {
    Poly common;
    charge(value.num.terms() * value.den.terms() * 50);
    if (fmpz_mpoly_gcd(common.get(), value.num.get(), value.den.get(), context()) != 0 &&
        !common.zero()) {
      fmpz_mpoly_divides(value.num.get(), value.num.get(), common.get(), context());
      fmpz_mpoly_divides(value.den.get(), value.den.get(), common.get(), context());
    }
  }
  if (value.den.terms() > 0) {
    Integer lead;
    fmpz_mpoly_get_term_coeff_fmpz(lead.get(), value.den.get(), 0, context());
    if (fmpz_sgn(lead.get()) < 0) {
      fmpz_mpoly_neg(value.num.get(), value.num.get(), context());
      fmpz_mpoly_neg(value.den.get(), value.den.get(), context());
    }
  }
  return value;
}

Fraction MathField::add(const Fraction& a, const Fraction& b) {
  return tidy({plus(product(a.num, b.den), product(b.num, a.den), false), product(a.den, b.den)});
}

Fraction MathField::subtract(const Fraction& a, const Fraction& b) {
  return tidy({plus(product(a.num, b.den), product(b.num, a.den), true), product(a.den, b.den)});
}

Fraction MathField::multiply(const Fraction& a, const Fraction& b) {
  return tidy({product(a.num, b.num), product(a.den, b.den)});
}

Fraction MathField::divide(const Fraction& a, const Fraction& b) {
  if (is_zero(b)) throw MathRefused{};
  return tidy({product(a.num, b.den), product(a.den, b.num)});
}

Fraction MathField::power(const Fraction& base, std::int64_t exponent) {
  if (exponent < 0) return power(divide({Poly(1), Poly(1)}, base), -exponent);
  if (exponent == 0 && is_zero(base)) throw MathRefused{};
  // A single term takes any exponent that FLINT packs; sums are bounded by the term limit.
  if (exponent > 100'000) throw MathRefused{};
  Fraction out{Poly(1), Poly(1)};
  Fraction square = base;
  for (std::int64_t rest = exponent; rest > 0; rest /= 2) {
    if (rest % 2 == 1) out = multiply(out, square);
    if (rest > 1) square = multiply(square, square);
  }
  return out;
}

Fraction MathField::symbol(const std::string& name) {
  for (std::size_t index = 0; index < generators_.size(); ++index) {
    const Generator& made = generators_[index];
    if (made.name == name && made.arguments.empty()) return {generator(index), Poly(1)};
  }
  Generator made{.name = name};
  if (name == "i") {
    made.degree = 2;
    made.relation = Poly(-1);
  }
  return {generator(add_generator(std::move(made))), Poly(1)};
}

Fraction MathField::call(const std::string& name, const std::vector<Fraction>& arguments) {
  for (std::size_t index = 0; index < generators_.size(); ++index) {
    if (generators_[index].name != name) continue;
    const std::vector<Fraction> known = generators_[index].arguments;
    if (known.size() != arguments.size()) continue;
    bool same = true;
    for (std::size_t at = 0; same && at < known.size(); ++at)
      same = equal(known[at], arguments[at]);
    if (same) return {generator(index), Poly(1)};
  }
  Generator made{.name = name, .arguments = arguments};
  if (name == "sin") {  // sin^2 = 1 - cos^2 of the same argument
    const Fraction cosine = call("cos", arguments);
    made.degree = 2;
    made.relation = plus(Poly(1), product(cosine.num, cosine.num), true);
  }
  return {generator(add_generator(std::move(made))), Poly(1)};
}

bool MathField::is_zero(const Fraction& value) { return reduce(value.num).zero(); }

bool MathField::is_rational(const Fraction& value) {
  return value.num.constant() && value.den.constant();
}

std::optional<std::int64_t> MathField::small_integer(const Fraction& value) {
  if (!is_rational(value) || fmpz_is_one(value.den.integer().get()) == 0) return std::nullopt;
  const Integer number = value.num.integer();
  if (fmpz_bits(number.get()) > 40) return std::nullopt;
  return fmpz_get_si(number.get());
}

bool MathField::proportional(const Fraction& a, const Fraction& b, bool positive) {
  if (is_zero(a) || is_zero(b)) return is_zero(a) && is_zero(b);
  const Fraction ratio = divide(a, b);
  if (!is_rational(ratio)) return false;
  return !positive || fmpz_sgn(ratio.num.integer().get()) > 0;
}

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
  fmpz_mpoly_pow_ui(out.get(), out.get(), static_cast<ulong>(exponent), context());
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
    fmpz_mpoly_get_term_coeff_fmpz(coefficient.get(), value.num.get(), term, context());
    fmpz_gcd(common.get(), common.get(), coefficient.get());
  }
  content = common;
  const bool integer_den = value.den.constant();
  Fraction outer = integer_root(Poly(content), k);
  if (integer_den) outer = divide(outer, integer_root(value.den, k));
  Fraction inner{value.num, integer_den ? Poly(1) : value.den};
  fmpz_mpoly_scalar_divexact_fmpz(inner.num.get(), inner.num.get(), content.get(), context());
  if (inner.num == Poly(1) && inner.den == Poly(1)) return outer;
  return multiply(outer, general_root(inner, k));
}

std::optional<Fraction> MathField::log_rational(const Fraction& value) {
  if (!is_rational(value) || fmpz_sgn(value.num.integer().get()) <= 0) return std::nullopt;
  Fraction out{Poly(0), Poly(1)};
  for (const bool below : {false, true}) {
    Integer rest = below ? value.den.integer() : value.num.integer();
    if (fmpz_bits(rest.get()) > 4096) throw MathRefused{};
    charge(100 * static_cast<std::int64_t>(fmpz_bits(rest.get())) + 1000);
    const auto take = [&](const Integer& prime, slong count) {
      const Fraction term =
          multiply({Poly(below ? -count : count), Poly(1)}, call("ln", {{Poly(prime), Poly(1)}}));
      out = add(out, term);
    };
    for (ulong prime = 2; prime < kTrialPrimes && fmpz_is_one(rest.get()) == 0; ++prime) {
      Integer divisor(static_cast<slong>(prime));
      slong count = 0;
      for (; fmpz_divisible(rest.get(), divisor.get()) != 0; ++count) {
        fmpz_divexact(rest.get(), rest.get(), divisor.get());
      }
      if (count > 0) take(divisor, count);
    }
    if (fmpz_is_one(rest.get()) == 0) take(rest, 1);
  }
  return out;
}

// ---- certified values of real constants ----

bool MathField::enclose_generator(std::size_t index, long bits, Ball& ball) {
  const Generator made = generators_[index];
  if (made.name == "pi") {
    arb_const_pi(ball.get(), bits);
    return true;
  }
  if (made.name == "e" && made.arguments.empty()) {
    arb_const_e(ball.get(), bits);
    return true;
  }
  if (made.name == "ln") {
    if (!enclose(made.arguments[0], bits, ball)) return false;
    arb_log(ball.get(), ball.get(), bits);
    return arb_is_finite(ball.get()) != 0;
  }
  if (made.name.starts_with("root") && made.degree > 0) {
    Ball scale;
    if (!enclose(made.radicand, bits, ball) || !enclose(made.scale, bits, scale)) return false;
    if (arb_is_nonnegative(ball.get()) == 0) return false;
    arb_root_ui(ball.get(), ball.get(), static_cast<ulong>(made.degree), bits);
    arb_mul(ball.get(), ball.get(), scale.get(), bits);
    return true;
  }
  return false;
}

bool MathField::enclose(const Poly& value, long bits, Ball& ball) {
  Ball term;
  Ball factor;
  arb_zero(ball.get());
  for (slong at = 0; at < value.terms(); ++at) {
    Integer coefficient;
    fmpz_mpoly_get_term_coeff_fmpz(coefficient.get(), value.get(), at, context());
    arb_set_fmpz(term.get(), coefficient.get());
    for (std::size_t index = 0; index < generators_.size(); ++index) {
      const ulong exponent =
          fmpz_mpoly_get_term_var_exp_ui(value.get(), at, variable(index), context());
      if (exponent == 0) continue;
      charge(bits);
      if (!enclose_generator(index, bits, factor)) return false;
      arb_pow_ui(factor.get(), factor.get(), exponent, bits);
      arb_mul(term.get(), term.get(), factor.get(), bits);
    }
    arb_add(ball.get(), ball.get(), term.get(), bits);
  }
  return true;
}

bool MathField::enclose(const Fraction& value, long bits, Ball& ball) {
  Ball den;
  if (!enclose(value.num, bits, ball) || !enclose(value.den, bits, den)) return false;
  arb_div(ball.get(), ball.get(), den.get(), bits);
  return arb_is_finite(ball.get()) != 0;
}

std::optional<int> MathField::sign(const Fraction& value) {
  if (is_zero(value)) return 0;
  for (const long bits : kPrecisions) {
    Ball ball;
    if (!enclose(value, bits, ball)) continue;
    if (arb_is_positive(ball.get()) != 0) return 1;
    if (arb_is_negative(ball.get()) != 0) return -1;
  }
  return std::nullopt;
}

std::optional<Fraction> MathField::floor(const Fraction& value) {
  for (const long bits : kPrecisions) {
    Ball ball;
    if (!enclose(value, bits, ball)) continue;
    Ball low;
    arb_floor(low.get(), ball.get(), bits);
    Integer out;
    if (arb_get_unique_fmpz(out.get(), low.get()) != 0) return Fraction{Poly(out), Poly(1)};
  }
  return std::nullopt;
}

}  // namespace assay::evals
