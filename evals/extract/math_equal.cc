#include "evals/extract/math_equal.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "evals/extract/latex_tokens.h"
#include "evals/extract/math_node.h"
#include "evals/extract/math_scalar.h"
#include "evals/extract/math_structure.h"

namespace assay::evals {
namespace {

using Kind = MathNode::Kind;
using Nodes = std::vector<MathNode>;

constexpr std::size_t kMaxItems = 64;

class Comparer {
 public:
  explicit Comparer(const MathEqualOptions& options) : options_(options) {}

  bool same(const MathNode& a, const MathNode& b) {
    if (is_collection(a) || is_collection(b)) return same_collection(a, b);
    if (a.kind == Kind::kUnit && is_structure(a.items[0])) return same(a.items[0], b);
    if (b.kind == Kind::kUnit && is_structure(b.items[0])) return same(a, b.items[0]);
    if (a.kind == Kind::kNegate && b.kind == Kind::kNegate && a.items[0].kind == Kind::kBased) {
      return same(a.items[0], b.items[0]);
    }
    if (const auto both = unwrapped(a, b)) return same(both->first, both->second);
    if (a.kind == Kind::kRelation && b.kind == Kind::kRelation) return same_relation(a, b);
    if (a.kind == Kind::kUnion || b.kind == Kind::kUnion) {
      return a.kind == b.kind && same_unordered(a.items, b.items);
    }
    if (options_.vector_is_tuple && is_vector(a) != is_vector(b)) {
      const MathNode& other = is_vector(a) ? b : a;
      if (other.kind == Kind::kTuple) return same_ordered(a.items, b.items);
    }
    if (a.kind == Kind::kMatrix || a.kind == Kind::kTuple || a.kind == Kind::kSetMinus) {
      const bool brackets =
          a.text == b.text || (a.kind == Kind::kTuple && options_.ignore_brackets);
      return a.kind == b.kind && brackets && same_ordered(a.items, b.items);
    }
    if (a.kind == Kind::kBased || b.kind == Kind::kBased) return same_based(a, b);
    if (is_clock(a) || is_clock(b)) return same_clock(a, b);
    if (a.kind == Kind::kWord || b.kind == Kind::kWord) return a.kind == b.kind && a.text == b.text;
    return same_scalar(a, b);
  }

 private:
  static bool is_vector(const MathNode& node) {
    return node.kind == Kind::kMatrix && node.text == "1";
  }
  /// A quotient of two written integers, as "2/4".
  static bool is_written_fraction(const MathNode& node) {
    return node.kind == Kind::kQuotient && node.items[0].kind == Kind::kNumber &&
           node.items[1].kind == Kind::kNumber;
  }
  /// Decimals of a written number with a point; nothing for anything else.
  static std::optional<std::int64_t> decimals(const MathNode& node) {
    if (node.kind == Kind::kNegate) return decimals(node.items[0]);
    const std::size_t point = node.text.find('.');
    const bool plain = node.kind == Kind::kNumber && point != std::string::npos &&
                       node.text.find_first_of("e(") == std::string::npos;
    if (!plain) return std::nullopt;
    return static_cast<std::int64_t>(node.text.size() - point - 1);
  }
  static bool is_clock(const MathNode& node) {
    return node.kind == Kind::kRatio || node.kind == Kind::kTime;
  }

  /// One side is an equation or inequality and the other the plain value or interval.
  std::optional<std::pair<MathNode, MathNode>> unwrapped(const MathNode& a, const MathNode& b) {
    const bool first = a.kind == Kind::kRelation;
    const bool second = b.kind == Kind::kRelation;
    if (first == second) return std::nullopt;
    const MathNode& relation = first ? a : b;
    const MathNode& other = first ? b : a;
    std::optional<MathNode> plain;
    if (const MathNode* value = value_of_equation(relation)) {
      if (options_.equation_is_value) plain = *value;
    } else if (options_.inequality_is_interval || relation.text == "in") {
      plain = as_interval(relation);
    }
    if (!plain) return std::nullopt;
    return first ? std::pair(*plain, other) : std::pair(other, *plain);
  }

  bool same_collection(const MathNode& a, const MathNode& b) {
    const bool kinds = (a.kind == Kind::kSet && b.kind == Kind::kList) ||
                       (a.kind == Kind::kList && b.kind == Kind::kSet);
    if (kinds && !options_.set_is_list) return false;
    if (!options_.plus_minus_is_list && holds_plus_minus(a) != holds_plus_minus(b)) return false;
    const MathNode* left = value_of_equation(a);
    const MathNode* right = value_of_equation(b);
    Nodes first = members_of(left != nullptr && right == nullptr ? *left : a);
    Nodes second = members_of(right != nullptr && left == nullptr ? *right : b);
    const bool brackets = first.size() == 1 || second.size() == 1;
    if (brackets && options_.ignore_brackets) {
      if (first.size() == 1 && first[0].kind == Kind::kTuple) first = Nodes(first[0].items);
      if (second.size() == 1 && second[0].kind == Kind::kTuple) second = Nodes(second[0].items);
    }
    strip_letter(first);
    strip_letter(second);
    if (same_unordered(first, second)) return true;
    return intervals_of(first, second) || intervals_of(second, first);
  }

  /// "x<2 or x>3" against a union.
  bool intervals_of(const Nodes& list, const Nodes& single) {
    if (single.size() != 1 || single[0].kind != Kind::kUnion) return false;
    Nodes intervals;
    for (const MathNode& item : list) {
      const std::optional<MathNode> interval = as_interval(item);
      if (!interval) return false;
      intervals.push_back(*interval);
    }
    return same_unordered(intervals, single[0].items);
  }

  bool same_ordered(const Nodes& a, const Nodes& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t index = 0; index < a.size(); ++index) {
      if (!same(a[index], b[index])) return false;
    }
    return true;
  }

  bool same_unordered(const Nodes& a, const Nodes& b) {
    if (a.size() != b.size() || a.size() > kMaxItems) return false;
    std::vector<bool> used(b.size(), false);
    for (const MathNode& item : a) {
      bool found = false;
      for (std::size_t index = 0; !found && index < b.size(); ++index) {
        if (used[index]) continue;
        found = same(item, b[index]);
        if (found) used[index] = true;
      }
      if (!found) return false;
    }
    return true;
  }

  bool same_relation(const MathNode& a, const MathNode& b) {
    const std::vector<std::string_view> first = split(a.text, ' ');
    const std::vector<std::string_view> second = split(b.text, ' ');
    if (first.size() != second.size()) return false;
    return first.size() == 1 ? same_single(a, b) : same_chain(a, b, first, second);
  }

  static std::string mirrored(std::string_view op) {
    if (op == "<") return ">";
    if (op == ">") return "<";
    if (op == "<=") return ">=";
    if (op == ">=") return "<=";
    return std::string(op);
  }

  bool same_chain(const MathNode& a, const MathNode& b, const std::vector<std::string_view>& first,
                  const std::vector<std::string_view>& second) {
    if (first == second && same_ordered(a.items, b.items)) return true;
    Nodes turned(b.items.rbegin(), b.items.rend());
    for (std::size_t index = 0; index < first.size(); ++index) {
      if (first[index] != mirrored(second[second.size() - 1 - index])) return false;
    }
    return same_ordered(a.items, turned);
  }

  bool same_single(const MathNode& a, const MathNode& b) {
    if (a.text == b.text && same_ordered(a.items, b.items)) return true;
    if (a.text == "in" || b.text == "in" || holds_word(a) || holds_word(b)) return false;
    const bool turned = a.text != b.text;
    if (turned && a.text != mirrored(b.text)) return false;
    try {
      MathField field;
      const auto difference = [&](const MathNode& node) {
        return field.subtract(evaluate_scalar(field, node.items[0]).value,
                              evaluate_scalar(field, node.items[1]).value);
      };
      Fraction left = difference(a);
      const Fraction right = difference(b);
      if (turned) left = field.subtract({Poly(0), Poly(1)}, left);
      const bool ordered = a.text != "=" && a.text != "!=";
      if (a.text == "==" || a.text == "~") return false;
      return field.proportional(left, right, ordered);
    } catch (const MathRefused&) {
      return false;
    }
  }

  bool same_based(const MathNode& a, const MathNode& b) {
    if (a.kind == b.kind) return to_lower_ascii(a.text) == to_lower_ascii(b.text);
    if (!options_.ignore_base) return false;
    const MathNode& based = a.kind == Kind::kBased ? a : b;
    const MathNode& other = a.kind == Kind::kBased ? b : a;
    return other.kind == Kind::kNumber && based.text.starts_with(other.text + "_");
  }

  bool same_clock(const MathNode& a, const MathNode& b) {
    if (a.kind == Kind::kRatio && b.kind == Kind::kRatio) {
      if (same_ordered(a.items, b.items)) return true;
      return a.text != "time" && b.text != "time" && a.items.size() == b.items.size() &&
             proportional_items(a.items, b.items);
    }
    if (a.kind == Kind::kTime && b.kind == Kind::kTime) return a.text == b.text;
    if (is_clock(a) && is_clock(b)) {
      const MathNode& time = a.kind == Kind::kTime ? a : b;
      const MathNode& ratio = a.kind == Kind::kTime ? b : a;
      return ratio.text == "time" &&
             time.text.starts_with(ratio.items[0].text + ":" + ratio.items[1].text + " ");
    }
    if (!options_.ratio_is_fraction) return false;
    const MathNode& ratio = is_clock(a) ? a : b;
    if (ratio.kind != Kind::kRatio || ratio.items.size() != 2) return false;
    return same_scalar({Kind::kQuotient, "", ratio.items}, is_clock(a) ? b : a);
  }

  bool proportional_items(const Nodes& a, const Nodes& b) {
    try {
      MathField field;
      const auto value = [&](const MathNode& node) { return evaluate_scalar(field, node).value; };
      for (std::size_t index = 1; index < a.size(); ++index) {
        const Fraction left = field.multiply(value(a[0]), value(b[index]));
        if (!field.equal(left, field.multiply(value(b[0]), value(a[index])))) return false;
      }
      return true;
    } catch (const MathRefused&) {
      return false;
    }
  }

  /// Words of a unit in one form: singular, squares as powers.
  static std::string unit_name(const std::string& text) {
    std::string name = replace_all(text, ".", "");
    if (name.starts_with("square ")) name = name.substr(7) + "^2";
    if (name.starts_with("cubic ")) name = name.substr(6) + "^3";
    std::string power;
    if (const std::size_t at = name.find('^'); at != std::string::npos) {
      power = name.substr(at);
      name.erase(at);
    }
    static const std::vector<std::pair<std::string, std::string>> kNames = {
        {"centimeter", "cm"}, {"meter", "m"},         {"kilometer", "km"}, {"millimeter", "mm"},
        {"feet", "ft"},       {"foot", "ft"},         {"inche", "in"},     {"inch", "in"},
        {"hour", "h"},        {"minute", "min"},      {"second", "s"},     {"degree", "degree"},
        {"dollar", "dollar"}, {"cent", "cent"},       {"gram", "g"},       {"kilogram", "kg"},
        {"pound", "lb"},      {"percent", "percent"}, {"hr", "h"},         {"gm", "g"},
        {"mile", "mi"},       {"yard", "yd"},         {"day", "day"}};
    std::string singular = name;
    if (singular.size() > 2 && singular.back() == 's') singular.pop_back();
    for (const auto& [from, to] : kNames) {
      if (singular == from) return to + power;
    }
    return singular + power;
  }

  static bool is_measure(const std::string& unit) {
    static const std::set<std::string> kNames = {
        "cm",     "m",    "km", "mm", "ft", "in",      "h",  "min", "s",   "degree",
        "dollar", "cent", "g",  "kg", "lb", "percent", "mi", "yd",  "day", "mph"};
    return kNames.contains(unit.substr(0, unit.find('^')));
  }

  bool units_differ(const std::set<std::string>& a, const std::set<std::string>& b) const {
    if (a.empty() || b.empty() || options_.differing_units_equal) return false;
    for (const std::string& first : a) {
      for (const std::string& second : b) {
        const std::string left = unit_name(first);
        const std::string right = unit_name(second);
        if (left != right && is_measure(left) && is_measure(right)) return true;
      }
    }
    return false;
  }

  /// Half a unit of the last decimal of one side apart, at most.
  bool rounds_to(MathField& field, const MathNode& decimal, const Fraction& difference) const {
    const std::optional<std::int64_t> places = decimals(decimal);
    if (!options_.rounded_is_equal || !places || *places > 50) return false;
    const Fraction two{Poly(2), Poly(1)};
    const Fraction half = field.divide(
        {Poly(1), Poly(1)}, field.multiply(two, field.power({Poly(10), Poly(1)}, *places)));
    return field.sign(field.subtract(half, difference)).value_or(-1) >= 0 &&
           field.sign(field.add(half, difference)).value_or(-1) >= 0;
  }

  bool same_scalar(const MathNode& a, const MathNode& b) {
    if (!options_.unreduced_is_equal && is_written_fraction(a) && is_written_fraction(b)) {
      return a.items[0].text == b.items[0].text && a.items[1].text == b.items[1].text;
    }
    try {
      MathField field;
      MathScalar left = evaluate_scalar(field, a);
      MathScalar right = evaluate_scalar(field, b);
      if (units_differ(left.units, right.units)) return false;
      for (MathScalar* side : {&left, &right}) {
        const Fraction hundred{Poly(100), Poly(1)};
        if (options_.percent_is_hundredth && side->units.contains("percent")) {
          side->value = field.divide(side->value, hundred);
        }
        if (options_.degrees_are_radians && side->units.contains("degree")) {
          side->value =
              field.multiply(side->value, field.divide(field.symbol("pi"), {Poly(180), Poly(1)}));
        }
      }
      const Fraction difference = field.subtract(left.value, right.value);
      if (field.is_zero(difference)) return true;
      return rounds_to(field, a, difference) || rounds_to(field, b, difference);
    } catch (const MathRefused&) {
      return false;
    }
  }

  const MathEqualOptions& options_;
};

bool same_parsed(std::string_view gold, std::string_view prediction, CommaReading reading,
                 const MathEqualOptions& options, bool& list_possible) {
  const std::optional<ParsedMath> a = parse_math(gold, reading);
  const std::optional<ParsedMath> b = parse_math(prediction, reading);
  if (!a || !b) return false;
  list_possible = (a->ambiguous_comma || b->ambiguous_comma) && (a->has_list || b->has_list);
  return Comparer(options).same(with_matrix_arithmetic(a->node), with_matrix_arithmetic(b->node));
}

/// Answers in words: what is left when wrappers, blanks and points are gone.
bool same_words(std::string_view gold, std::string_view prediction) {
  const auto wordy = [](std::string_view text) {
    const std::optional<ParsedMath> parsed = parse_math(text, CommaReading::kThousands);
    return !parsed || holds_word(parsed->node) || text.find("\\text") != text.npos ||
           text.find("\\mbox") != text.npos;
  };
  if (!wordy(gold) && !wordy(prediction)) return false;
  const std::string form = text_form(gold);
  const bool letters = std::any_of(form.begin(), form.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (static_cast<unsigned char>(c) & 0x80U) != 0;
  });
  return letters && form == text_form(prediction);
}

}  // namespace

std::span<const MathEqualRule> math_equal_rules() {
  using Options = MathEqualOptions;
  static constexpr MathEqualRule kRules[] = {
      {"percent_is_hundredth", &Options::percent_is_hundredth},
      {"degrees_are_radians", &Options::degrees_are_radians},
      {"rounded_is_equal", &Options::rounded_is_equal},
      {"unreduced_is_equal", &Options::unreduced_is_equal},
      {"ignore_brackets", &Options::ignore_brackets},
      {"vector_is_tuple", &Options::vector_is_tuple},
      {"set_is_list", &Options::set_is_list},
      {"ignore_base", &Options::ignore_base},
      {"ratio_is_fraction", &Options::ratio_is_fraction},
      {"equation_is_value", &Options::equation_is_value},
      {"inequality_is_interval", &Options::inequality_is_interval},
      {"plus_minus_is_list", &Options::plus_minus_is_list},
      {"differing_units_equal", &Options::differing_units_equal},
  };
  return kRules;
}

bool math_equal(std::string_view gold, std::string_view prediction,
                const MathEqualOptions& options) {
  gold = trim_ascii(gold);
  prediction = trim_ascii(prediction);
  if (gold.empty() || prediction.empty()) return false;
  if (gold == prediction) return true;
  constexpr std::size_t kMaxBytes = 8192;
  if (gold.size() > kMaxBytes || prediction.size() > kMaxBytes) return false;
  bool list_possible = false;
  if (same_parsed(gold, prediction, CommaReading::kThousands, options, list_possible)) return true;
  if (list_possible && same_parsed(gold, prediction, CommaReading::kList, options, list_possible)) {
    return true;
  }
  return same_words(gold, prediction);
}

}  // namespace assay::evals
