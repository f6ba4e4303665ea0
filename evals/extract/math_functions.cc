#include "evals/extract/math_functions.h"

#include <algorithm>
#include <vector>

namespace assay::evals {
namespace {

constexpr std::size_t kMaxTerms = 4;
constexpr std::int64_t kMaxMultiple = 12;

Fraction whole(slong value) { return {Poly(value), Poly(1)}; }

Fraction negated(MathField& field, const Fraction& value) {
  return field.subtract(whole(0), value);
}

/// The point at the sum of two angles.
CosSin turned(MathField& field, const CosSin& a, const CosSin& b) {
  return {field.subtract(field.multiply(a.cos, b.cos), field.multiply(a.sin, b.sin)),
          field.add(field.multiply(a.sin, b.cos), field.multiply(a.cos, b.sin))};
}

CosSin multiple(MathField& field, const CosSin& base, std::int64_t times) {
  CosSin out{whole(1), whole(0)};
  for (std::int64_t i = 0; i < std::abs(times); ++i) out = turned(field, out, base);
  if (times < 0) out.sin = negated(field, out.sin);
  return out;
}

CosSin plain(MathField& field, const Fraction& angle) {
  return {field.call("cos", {angle}), field.call("sin", {angle})};
}

/// cos of 0 to 6 steps of fifteen degrees.
Fraction cosine_of_step(MathField& field, std::int64_t step) {
  const auto root = [&](slong value) { return field.root(whole(value), 2); };
  switch (step) {
    case 0:
      return whole(1);
    case 1:
      return field.divide(field.add(root(6), root(2)), whole(4));
    case 2:
      return field.divide(root(3), whole(2));
    case 3:
      return field.divide(root(2), whole(2));
    case 4:
      return field.divide(whole(1), whole(2));
    case 5:
      return field.divide(field.subtract(root(6), root(2)), whole(4));
    default:
      return whole(0);
  }
}

/// At pi * part, part from 0 to 1/4.
CosSin of_small_part(MathField& field, const Fraction& part) {
  const auto steps = MathField::small_integer(field.multiply(part, whole(12)));
  if (steps) return {cosine_of_step(field, *steps), cosine_of_step(field, 6 - *steps)};
  const Fraction five = field.root(whole(5), 2);
  const auto tenths = MathField::small_integer(field.multiply(part, whole(10)));
  const auto quarter_root = [&](const Fraction& radicand) {
    return field.divide(field.root(radicand, 2), whole(4));
  };
  const Fraction double_five = field.multiply(whole(2), five);
  if (tenths == 1) {
    return {quarter_root(field.add(whole(10), double_five)),
            field.divide(field.subtract(five, whole(1)), whole(4))};
  }
  if (tenths == 2) {
    return {field.divide(field.add(five, whole(1)), whole(4)),
            quarter_root(field.subtract(whole(10), double_five))};
  }
  const auto times = MathField::small_integer({part.num, Poly(1)});
  const Fraction unit{Poly(1), part.den};
  const bool few = times && *times <= kMaxMultiple;
  const CosSin base = plain(field, field.multiply(field.symbol("pi"), few ? unit : part));
  return few ? multiple(field, base, *times) : base;
}

/// At pi * part, part rational: led back to the first eighth of the circle.
CosSin of_part(MathField& field, Fraction part) {
  const auto below = [&](const Fraction& bound) {
    return field.sign(field.subtract(bound, part)).value_or(0) > 0;
  };
  const Fraction half = field.divide(whole(1), whole(2));
  const std::optional<Fraction> turns = field.floor(field.multiply(part, half));
  if (!turns) throw MathRefused{};
  part = field.subtract(part, field.multiply(whole(2), *turns));
  bool turn_sine = false;
  bool turn_cosine = false;
  if (!below(whole(1)) && !field.equal(part, whole(1))) {
    part = field.subtract(whole(2), part);
    turn_sine = true;
  }
  if (!below(half) && !field.equal(part, half)) {
    part = field.subtract(whole(1), part);
    turn_cosine = true;
  }
  const Fraction quarter = field.divide(whole(1), whole(4));
  const bool swapped = !below(quarter) && !field.equal(part, quarter);
  if (swapped) part = field.subtract(half, part);
  CosSin out = of_small_part(field, part);
  if (swapped) std::swap(out.cos, out.sin);
  if (turn_sine) out.sin = negated(field, out.sin);
  if (turn_cosine) out.cos = negated(field, out.cos);
  return out;
}

/// p / q in lowest terms with the term's monomial.
struct Part {
  std::int64_t times = 0;
  Fraction base;  // monomial / q
  Poly monomial;
  Fraction ratio;  // p / q
};

/// Nothing when the denominator is no integer or a coefficient is too large.
std::optional<std::vector<Part>> parts_of(MathField& field, const Fraction& value) {
  if (!value.den.constant()) return std::nullopt;
  std::vector<Part> out;
  for (const MathField::Term& term : MathField::terms(value.num)) {
    const Fraction ratio = field.divide({Poly(term.coefficient), Poly(1)}, {value.den, Poly(1)});
    const auto times = MathField::small_integer({ratio.num, Poly(1)});
    if (!times) return std::nullopt;
    out.push_back({*times, {term.monomial, ratio.den}, term.monomial, ratio});
  }
  return out;
}

}  // namespace

CosSin cos_sin(MathField& field, const Fraction& angle) {
  const Poly pi = field.symbol("pi").num;
  const auto parts = parts_of(field, angle);
  const bool expand =
      parts && parts->size() <= kMaxTerms && std::ranges::all_of(*parts, [&](const Part& part) {
        return part.monomial == pi || std::abs(part.times) <= kMaxMultiple;
      });
  if (!expand) return plain(field, angle);
  CosSin out{whole(1), whole(0)};
  for (const Part& part : *parts) {
    out = turned(field, out,
                 part.monomial == pi ? of_part(field, part.ratio)
                                     : multiple(field, plain(field, part.base), part.times));
  }
  return out;
}

std::optional<Fraction> inverse_of(MathField& field, const std::string& name,
                                   const Fraction& value) {
  const bool tangent = name == "arctan";
  for (std::int64_t step = -6; step <= 6; ++step) {
    if (tangent && (step == -6 || step == 6)) continue;
    const Fraction cosine = cosine_of_step(field, std::abs(step));
    const Fraction positive = cosine_of_step(field, 6 - std::abs(step));
    const Fraction sine = step < 0 ? negated(field, positive) : positive;
    if (!field.equal(value, tangent ? field.divide(sine, cosine) : sine)) continue;
    const slong twelfths = static_cast<slong>(name == "arccos" ? 6 - step : step);
    return field.multiply(field.symbol("pi"), field.divide(whole(twelfths), whole(12)));
  }
  return std::nullopt;
}

namespace {

/// value^exponent for a positive integer, as a product over its primes.
Fraction prime_powers(MathField& field, const Poly& value, const Fraction& exponent) {
  Integer rest = value.integer();
  if (fmpz_bits(rest.get()) > 1024) throw MathRefused{};
  field.charge(100 * static_cast<std::int64_t>(fmpz_bits(rest.get())) + 1000);
  Fraction out = whole(1);
  const auto take = [&](const Integer& prime, std::int64_t count) {
    const Fraction unit = field.call("power", {{Poly(prime), Poly(1)}, exponent});
    out = field.multiply(out, field.power(unit, count));
  };
  for (ulong prime = 2; prime < kTrialPrimes && fmpz_is_one(rest.get()) == 0; ++prime) {
    const Integer divisor(static_cast<slong>(prime));
    std::int64_t count = 0;
    for (; fmpz_divisible(rest.get(), divisor.get()) != 0; ++count) {
      fmpz_divexact(rest.get(), rest.get(), divisor.get());
    }
    if (count > 0) take(divisor, count);
  }
  if (fmpz_is_one(rest.get()) == 0) take(rest, 1);
  return out;
}

Fraction unit_power(MathField& field, const Fraction& base, const Fraction& exponent) {
  if (!MathField::is_rational(base) || field.is_zero(base)) {
    return field.call("power", {base, exponent});
  }
  Fraction out = whole(1);
  Fraction size = base;
  if (field.sign(base).value_or(1) < 0) {
    size = negated(field, base);
    out = field.call("power", {whole(-1), exponent});
  }
  out = field.multiply(out, prime_powers(field, size.num, exponent));
  return field.divide(out, prime_powers(field, size.den, exponent));
}

}  // namespace

Fraction symbolic_power(MathField& field, const Fraction& base, const Fraction& exponent) {
  constexpr std::int64_t kMaxPower = 1000;
  constexpr std::int64_t kMaxRoot = 24;
  const auto parts = parts_of(field, exponent);
  const bool expand =
      parts && parts->size() <= kMaxTerms && std::ranges::all_of(*parts, [&](const Part& part) {
        return std::abs(part.times) <= kMaxPower;
      });
  if (!expand) return field.call("power", {base, exponent});
  const bool natural = field.equal(base, field.symbol("e"));
  const Fraction circle = field.multiply(field.symbol("i"), field.symbol("pi"));
  Fraction out = whole(1);
  for (const Part& part : *parts) {
    Fraction factor;
    const auto bottom = MathField::small_integer({part.ratio.den, Poly(1)});
    if (natural && part.monomial == circle.num) {
      const CosSin point = of_part(field, part.ratio);
      factor = field.add(point.cos, field.multiply(field.symbol("i"), point.sin));
    } else if (part.monomial == Poly(1) && bottom && *bottom <= kMaxRoot) {
      factor = field.power(field.root(base, *bottom), part.times);
    } else {
      factor = field.power(unit_power(field, base, part.base), part.times);
    }
    out = field.multiply(out, factor);
  }
  return out;
}

}  // namespace assay::evals
