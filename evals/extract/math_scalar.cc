#include "evals/extract/math_scalar.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "evals/extract/math_functions.h"

namespace assay::evals {
namespace {

using Kind = MathNode::Kind;

constexpr std::int64_t kMaxFactorial = 3000;

Fraction whole(slong value) { return {Poly(value), Poly(1)}; }

class Evaluator {
 public:
  explicit Evaluator(MathField& field) : field_(field) {}
  std::set<std::string> units;

  Fraction eval(const MathNode& node, bool angle = false) {
    switch (node.kind) {
      case Kind::kNumber:
        return number(node.text);
      case Kind::kSymbol:
        return field_.symbol(node.text);
      case Kind::kSum: {
        Fraction out = whole(0);
        for (const MathNode& item : node.items) out = field_.add(out, eval(item, angle));
        return out;
      }
      case Kind::kNegate:
        return field_.subtract(whole(0), eval(node.items[0], angle));
      case Kind::kProduct: {
        Fraction out = whole(1);
        for (const MathNode& item : node.items) out = field_.multiply(out, eval(item, angle));
        return out;
      }
      case Kind::kQuotient:
        return field_.divide(eval(node.items[0], angle), eval(node.items[1], angle));
      case Kind::kPower:
        return power(node);
      case Kind::kDegree:
        if (angle) {
          return field_.multiply(eval(node.items[0]),
                                 field_.divide(field_.symbol("pi"), whole(180)));
        }
        units.insert("degree");
        return eval(node.items[0]);
      case Kind::kUnit:
        units.insert(node.text);
        return eval(node.items[0]);
      case Kind::kCall:
        return call(node);
      default:
        throw MathRefused{};
    }
  }

 private:
  Fraction power_of_ten(std::int64_t exponent) {
    if (exponent > 5000 || exponent < -5000) throw MathRefused{};
    return field_.power(whole(10), exponent);
  }

  Fraction number(std::string text) {
    std::int64_t exponent = 0;
    if (const std::size_t mark = text.find('e'); mark != std::string::npos) {
      std::string tail = text.substr(mark + 1);
      if (tail[0] == '+') tail.erase(0, 1);
      exponent = parse_int(tail).value_or(1'000'000);
      text.erase(mark);
    }
    std::string repeat;
    if (const std::size_t mark = text.find('('); mark != std::string::npos) {
      repeat = text.substr(mark + 1, text.find(')') - mark - 1);
      text.erase(mark);
    }
    std::int64_t decimals = 0;
    if (const std::size_t point = text.find('.'); point != std::string::npos) {
      decimals = static_cast<std::int64_t>(text.size() - point - 1);
      text.erase(point, 1);
    }
    Fraction out = field_.multiply(digits(text), power_of_ten(exponent - decimals));
    if (!repeat.empty()) {
      const auto size = static_cast<std::int64_t>(repeat.size());
      const Fraction nines = field_.subtract(power_of_ten(size), whole(1));
      out = field_.add(
          out, field_.multiply(field_.divide(digits(repeat), nines), power_of_ten(-decimals)));
    }
    return out;
  }

  Fraction digits(const std::string& text) {
    if (text.size() > 5000 || text.find_first_not_of("0123456789") != std::string::npos) {
      throw MathRefused{};
    }
    Integer value;
    fmpz_set_str(value.get(), text.empty() ? "0" : text.c_str(), 10);
    return {Poly(value), Poly(1)};
  }

  Fraction power(const MathNode& node) {
    const Fraction base = eval(node.items[0]);
    const Fraction exponent = eval(node.items[1]);
    if (!MathField::is_rational(exponent)) return symbolic_power(field_, base, exponent);
    const std::optional<std::int64_t> top = MathField::small_integer({exponent.num, Poly(1)});
    const std::optional<std::int64_t> bottom = MathField::small_integer({exponent.den, Poly(1)});
    const bool huge = !top || !bottom || *top > 5000 || *top < -5000 || *bottom > 24;
    if (huge) return field_.call("power", {base, exponent});
    return field_.power(field_.root(base, *bottom), *top);
  }

  Fraction call(const MathNode& node) {
    const std::string& name = node.text;
    if (name == "root") {
      const std::optional<std::int64_t> k = MathField::small_integer(eval(node.items[1]));
      if (!k) throw MathRefused{};
      return field_.root(eval(node.items[0]), *k);
    }
    if (name == "factorial") return factorial(eval(node.items[0]));
    if (name == "binom") return binomial(eval(node.items[0]), eval(node.items[1]));
    if (name == "abs") return absolute(eval(node.items[0]));
    if (name == "floor" || name == "ceil") return rounded(name, eval(node.items[0]));
    if (name == "log" || name == "ln" || name == "lg") return logarithm(node);
    if (name == "exp") return symbolic_power(field_, field_.symbol("e"), eval(node.items[0]));
    static const std::set<std::string> kAngles = {"sin", "cos", "tan", "cot", "sec", "csc"};
    if (kAngles.contains(name)) return trigonometric(name, eval(node.items[0], true));
    if (name == "arcsin" || name == "arccos" || name == "arctan") {
      if (const auto angle = inverse_of(field_, name, eval(node.items[0]))) return *angle;
    }
    std::vector<Fraction> arguments;
    for (const MathNode& item : node.items) arguments.push_back(eval(item));
    return field_.call(name, arguments);
  }

  Fraction factorial(const Fraction& value) {
    const std::optional<std::int64_t> n = MathField::small_integer(value);
    if (!n || *n < 0 || *n > kMaxFactorial) return field_.call("factorial", {value});
    field_.charge(*n * 10);
    Integer out;
    fmpz_fac_ui(out.get(), static_cast<ulong>(*n));
    return {Poly(out), Poly(1)};
  }

  Fraction binomial(const Fraction& top, const Fraction& bottom) {
    const std::optional<std::int64_t> n = MathField::small_integer(top);
    const std::optional<std::int64_t> k = MathField::small_integer(bottom);
    if (!n || !k || *n < 0 || *k < 0 || *n > kMaxFactorial) {
      return field_.call("binom", {top, bottom});
    }
    field_.charge(*n * 10);
    Integer out;
    fmpz_bin_uiui(out.get(), static_cast<ulong>(*n), static_cast<ulong>(*k));
    return {Poly(out), Poly(1)};
  }

  Fraction absolute(const Fraction& value) {
    const std::optional<int> sign = field_.sign(value);
    if (sign) return *sign < 0 ? field_.subtract(whole(0), value) : value;
    if (const std::optional<Fraction> modulus = field_.modulus(value)) return *modulus;
    return field_.call("abs", {value});
  }

  Fraction rounded(const std::string& name, const Fraction& value) {
    const bool up = name == "ceil";
    const Fraction turned = up ? field_.subtract(whole(0), value) : value;
    if (MathField::is_rational(turned)) {
      Integer out;
      fmpz_fdiv_q(out.get(), turned.num.integer().get(), turned.den.integer().get());
      const Fraction low{Poly(out), Poly(1)};
      return up ? field_.subtract(whole(0), low) : low;
    }
    const std::optional<Fraction> low = field_.floor(turned);
    if (!low) return field_.call(name, {value});
    return up ? field_.subtract(whole(0), *low) : *low;
  }

  Fraction natural_log(const Fraction& value) {
    if (field_.equal(value, field_.symbol("e"))) return whole(1);
    if (const std::optional<Fraction> sum = field_.log_rational(value)) return *sum;
    return field_.call("ln", {value});
  }

  Fraction logarithm(const MathNode& node) {
    const Fraction top = natural_log(eval(node.items[0]));
    if (node.text == "ln") return top;
    const Fraction base = node.items.size() > 1 ? eval(node.items[1]) : whole(10);
    return field_.divide(top, natural_log(base));
  }

  Fraction trigonometric(const std::string& name, const Fraction& angle) {
    const auto& [cosine, sine] = cos_sin(field_, angle);
    if (name == "sin") return sine;
    if (name == "cos") return cosine;
    if (name == "tan") return field_.divide(sine, cosine);
    if (name == "cot") return field_.divide(cosine, sine);
    return field_.divide(whole(1), name == "sec" ? cosine : sine);
  }

  MathField& field_;
};

}  // namespace

MathScalar evaluate_scalar(MathField& field, const MathNode& node) {
  Evaluator evaluator(field);
  MathScalar out;
  out.value = evaluator.eval(node);
  out.units = std::move(evaluator.units);
  return out;
}

}  // namespace assay::evals
