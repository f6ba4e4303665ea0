#include "evals/extract/math_structure.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"

namespace assay::evals {

using Kind = MathNode::Kind;
using Nodes = std::vector<MathNode>;

bool is_collection(const MathNode& node) {
  return node.kind == Kind::kList || node.kind == Kind::kSet ||
         (holds_plus_minus(node) && node.kind != Kind::kTuple && node.kind != Kind::kRelation);
}

bool is_structure(const MathNode& node) {
  return node.kind == Kind::kTuple || node.kind == Kind::kMatrix || node.kind == Kind::kSet;
}

bool holds_word(const MathNode& node) {
  return node.kind == Kind::kWord || std::any_of(node.items.begin(), node.items.end(), holds_word);
}

bool holds_plus_minus(const MathNode& node) {
  return node.kind == Kind::kPlusMinus ||
         std::any_of(node.items.begin(), node.items.end(), holds_plus_minus);
}

MathNode with_sign(const MathNode& node, bool upper) {
  MathNode out = node;
  for (MathNode& item : out.items) item = with_sign(item, upper);
  if (node.kind != Kind::kPlusMinus) return out;
  if ((node.text == "+-") == upper) return std::move(out.items[0]);
  out.kind = Kind::kNegate;
  out.text.clear();
  return out;
}

namespace {

MathNode infinity(bool negative) {
  MathNode node{Kind::kSymbol, "infty", {}};
  return negative ? MathNode{Kind::kNegate, "", {node}} : node;
}

}  // namespace

std::optional<MathNode> as_interval(const MathNode& node) {
  if (node.kind != Kind::kRelation) return std::nullopt;
  const std::vector<std::string_view> ops = split(node.text, ' ');
  const auto letter = [](const MathNode& item) { return item.kind == Kind::kSymbol; };
  if (ops.size() == 1 && ops[0] == "in" && letter(node.items[0])) return node.items[1];
  const auto make = [](std::string text, MathNode low, MathNode high) {
    return MathNode{Kind::kTuple, std::move(text), {std::move(low), std::move(high)}};
  };
  const auto less = [](std::string_view op) { return op == "<" || op == "<="; };
  const auto more = [](std::string_view op) { return op == ">" || op == ">="; };
  if (ops.size() == 1 && (less(ops[0]) || more(ops[0]))) {
    const bool left = letter(node.items[0]) && node.items[0].text != "infty";
    if (!left && !letter(node.items[1])) return std::nullopt;
    const MathNode& bound = node.items[left ? 1 : 0];
    if (less(ops[0]) == left) {
      return make(ops[0].size() == 2 ? "(]" : "()", infinity(true), bound);
    }
    return make(ops[0].size() == 2 ? "[)" : "()", bound, infinity(false));
  }
  if (ops.size() != 2 || !letter(node.items[1])) return std::nullopt;
  const bool rising = less(ops[0]) && less(ops[1]);
  if (!rising && !(more(ops[0]) && more(ops[1]))) return std::nullopt;
  const std::string_view low = rising ? ops[0] : ops[1];
  const std::string_view high = rising ? ops[1] : ops[0];
  const std::string text =
      std::string(low.size() == 2 ? "[" : "(") + (high.size() == 2 ? "]" : ")");
  return make(text, node.items[rising ? 0 : 2], node.items[rising ? 2 : 0]);
}

const MathNode* value_of_equation(const MathNode& node) {
  if (node.kind != Kind::kRelation || node.text != "=") return nullptr;
  const MathNode& left = node.items[0];
  const bool named =
      left.kind == Kind::kSymbol || (left.kind == Kind::kCall && left.text.size() == 1);
  return named ? &node.items[1] : nullptr;
}

Nodes members_of(const MathNode& node) {
  Nodes out;
  const bool collection = node.kind == Kind::kList || node.kind == Kind::kSet;
  for (const MathNode& item : collection ? node.items : Nodes{node}) {
    if (holds_plus_minus(item)) {
      out.push_back(with_sign(item, true));
      out.push_back(with_sign(item, false));
    } else {
      out.push_back(item);
    }
  }
  return out;
}

void strip_letter(Nodes& items) {
  std::string letter;
  for (const MathNode& item : items) {
    if (item.kind != Kind::kRelation) continue;
    if (value_of_equation(item) == nullptr || item.items[0].kind != Kind::kSymbol) return;
    if (!letter.empty() && item.items[0].text != letter) return;
    letter = item.items[0].text;
  }
  for (MathNode& item : items) {
    if (item.kind == Kind::kRelation) item = MathNode(item.items[1]);
  }
}

namespace {

bool is_matrix(const MathNode& node) { return node.kind == Kind::kMatrix; }

/// The matrix in `around`, each entry with what stands around the matrix.
MathNode entrywise(const MathNode& around, std::size_t place) {
  MathNode out = around.items[place];
  for (MathNode& entry : out.items) {
    MathNode scaled = around;
    scaled.items[place] = std::move(entry);
    entry = std::move(scaled);
  }
  return out;
}

/// Sums entry by entry of matrices of one shape.
MathNode matrix_sum(const MathNode& sum) {
  MathNode out = sum.items[0];
  for (std::size_t at = 0; at < out.items.size(); ++at) {
    MathNode entry{Kind::kSum, "", {}};
    for (const MathNode& matrix : sum.items) entry.items.push_back(matrix.items[at]);
    out.items[at] = std::move(entry);
  }
  return out;
}

}  // namespace

// NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth of a tree.
MathNode with_matrix_arithmetic(MathNode node) {
  for (MathNode& item : node.items) item = with_matrix_arithmetic(std::move(item));
  const auto matrices = std::count_if(node.items.begin(), node.items.end(), is_matrix);
  if (matrices == 0) return node;
  const auto first = static_cast<std::size_t>(
      std::find_if(node.items.begin(), node.items.end(), is_matrix) - node.items.begin());
  const bool scaled = node.kind == Kind::kNegate || node.kind == Kind::kProduct ||
                      (node.kind == Kind::kQuotient && first == 0);
  if (scaled && matrices == 1) return entrywise(node, first);
  const bool same_shape =
      node.kind == Kind::kSum && static_cast<std::size_t>(matrices) == node.items.size() &&
      std::all_of(node.items.begin(), node.items.end(), [&](const MathNode& item) {
        return item.text == node.items[0].text && item.items.size() == node.items[0].items.size();
      });
  return same_shape ? matrix_sum(node) : node;
}

}  // namespace assay::evals
