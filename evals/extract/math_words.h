// Words of the grammar of answers, and small questions about trees.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evals/extract/math_node.h"

namespace assay::evals {

MathNode make(MathNode::Kind kind, std::string text, std::vector<MathNode> items = {});
/// "<=" for "le" and so on; "" for commands that relate nothing.
std::string_view relation_meaning(std::string_view name);
/// "sin", "log", "gcd" ...: takes the operands that follow as its argument.
bool is_function(std::string_view name);
/// "overline", "vec" ...: takes one argument and is kept as it is.
bool is_accent(std::string_view name);
/// Commands before which a product without a sign ends.
bool ends_operand(std::string_view name);
/// Commands that no answer can hold.
bool is_refused(std::string_view name);
/// A quotient of two written integers, below one: what makes "2\frac{1}{3}" a mixed number.
bool proper(const MathNode& node);

}  // namespace assay::evals
