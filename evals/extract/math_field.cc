#include "evals/extract/math_field.h"

#include <algorithm>
#include <array>

namespace assay::evals {
namespace {

constexpr slong kMaxTerms = 2000;
constexpr std::int64_t kMaxBits = 40'000;
constexpr std::array<long, 4> kPrecisions = {64, 256, 1024, 4096};

std::int64_t bits_of(const Poly& value) {
  return std::abs(static_cast<std::int64_t>(fmpz_mpoly_max_bits(value.get())));
}

Poly plus(const Poly& a, const Poly& b, bool negate) {
  Poly out;
  if (negate) {
    fmpz_mpoly_sub(out.get(), a.get(), b.get(), poly_context());
  } else {
    fmpz_mpoly_add(out.get(), a.get(), b.get(), poly_context());
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
  fmpz_mpoly_mul(out.get(), a.get(), b.get(), poly_context());
  if (out.terms() > kMaxTerms || bits_of(out) > kMaxBits) throw MathRefused{};
  return out;
}

slong MathField::variable(std::size_t index) {
  return kPolyVariables - 1 - static_cast<slong>(index);
}

Poly MathField::generator(std::size_t index) const {
  Poly out;
  fmpz_mpoly_gen(out.get(), variable(index), poly_context());
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
    if (fmpz_mpoly_degree_si(value.get(), variable(index), poly_context()) < made.degree) continue;
    charge(value.terms() * made.relation.terms() * (1 + bits_of(value) / 64) * 8);
    Poly divisor = generator(index);
    fmpz_mpoly_pow_ui(divisor.get(), divisor.get(), static_cast<ulong>(made.degree),
                      poly_context());
    divisor = plus(divisor, made.relation, true);
    Poly quotient;
    Poly rest;
    fmpz_mpoly_divrem(quotient.get(), rest.get(), value.get(), divisor.get(), poly_context());
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
    if (fmpz_mpoly_gcd(common.get(), value.num.get(), value.den.get(), poly_context()) != 0 &&
        !common.zero()) {
      fmpz_mpoly_divides(value.num.get(), value.num.get(), common.get(), poly_context());
      fmpz_mpoly_divides(value.den.get(), value.den.get(), common.get(), poly_context());
    }
  }
  if (value.den.terms() > 0) {
    Integer lead;
    fmpz_mpoly_get_term_coeff_fmpz(lead.get(), value.den.get(), 0, poly_context());
    if (fmpz_sgn(lead.get()) < 0) {
      fmpz_mpoly_neg(value.num.get(), value.num.get(), poly_context());
      fmpz_mpoly_neg(value.den.get(), value.den.get(), poly_context());
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

std::vector<MathField::Term> MathField::terms(const Poly& value) {
  std::vector<Term> out(static_cast<std::size_t>(value.terms()));
  for (std::size_t at = 0; at < out.size(); ++at) {
    const auto index = static_cast<slong>(at);
    fmpz_mpoly_get_term_coeff_fmpz(out[at].coefficient.get(), value.get(), index, poly_context());
    fmpz_mpoly_get_term_monomial(out[at].monomial.get(), value.get(), index, poly_context());
  }
  return out;
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
  if (made.name == "cos" || made.name == "sin") {
    if (!enclose(made.arguments[0], bits, ball)) return false;
    made.name == "cos" ? arb_cos(ball.get(), ball.get(), bits)
                       : arb_sin(ball.get(), ball.get(), bits);
    return true;
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
    fmpz_mpoly_get_term_coeff_fmpz(coefficient.get(), value.get(), at, poly_context());
    arb_set_fmpz(term.get(), coefficient.get());
    for (std::size_t index = 0; index < generators_.size(); ++index) {
      const ulong exponent =
          fmpz_mpoly_get_term_var_exp_ui(value.get(), at, variable(index), poly_context());
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
