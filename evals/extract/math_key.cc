#include "evals/extract/math_key.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "evals/extract/math_node.h"
#include "evals/extract/math_scalar.h"
#include "evals/extract/math_structure.h"

namespace assay::evals {
namespace {

using Kind = MathNode::Kind;

std::string key_of(const MathNode& node);

std::string joined_keys(const std::vector<MathNode>& items, bool ordered) {
  std::vector<std::string> keys;
  for (const MathNode& item : items) keys.push_back(key_of(item));
  if (!ordered) std::sort(keys.begin(), keys.end());
  return join(keys, "; ");
}

/// What cannot be computed, by its parts.
std::string form_of(const MathNode& node) {
  std::string out = "<" + std::to_string(static_cast<int>(node.kind)) + " " + node.text;
  for (const MathNode& item : node.items) out += " " + key_of(item);
  return out + ">";
}

std::string scalar_key(const MathNode& node) {
  try {
    MathField field;
    return field.canonical(evaluate_scalar(field, node).value);
  } catch (const MathRefused&) {
    return form_of(node);
  }
}

// NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth of a tree.
std::string key_of(const MathNode& node) {
  if (is_collection(node)) {
    std::vector<MathNode> items = members_of(node);
    strip_letter(items);
    return items.size() == 1 ? key_of(items[0]) : "{" + joined_keys(items, false) + "}";
  }
  if (node.kind == Kind::kUnit && is_structure(node.items[0])) return key_of(node.items[0]);
  if (const MathNode* value = value_of_equation(node)) return key_of(*value);
  if (const std::optional<MathNode> interval = as_interval(node)) return key_of(*interval);
  switch (node.kind) {
    case Kind::kUnion:
      return "union " + joined_keys(node.items, false);
    case Kind::kTuple:
    case Kind::kMatrix:
      return "[" + node.text + "] " + joined_keys(node.items, true);
    case Kind::kBased:
    case Kind::kTime:
    case Kind::kWord:
      return to_lower_ascii(node.text);
    case Kind::kRelation:
    case Kind::kRatio:
    case Kind::kSetMinus:
      return form_of(node);
    default:
      return scalar_key(node);
  }
}

}  // namespace

std::string math_key(std::string_view answer) {
  const std::string_view text = trim_ascii(answer);
  if (text.empty()) return "";
  const std::optional<ParsedMath> parsed = parse_math(text, CommaReading::kThousands);
  if (parsed && !holds_word(parsed->node)) return key_of(with_matrix_arithmetic(parsed->node));
  const std::string words = text_form(text);
  return words.empty() ? std::string(text) : words;
}

}  // namespace assay::evals
