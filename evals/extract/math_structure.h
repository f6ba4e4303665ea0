// Questions about the structure of an answer, and its other readings: intervals, values, lists.
#pragma once

#include <optional>
#include <vector>

#include "evals/extract/math_node.h"

namespace assay::evals {

bool holds_word(const MathNode& node);
bool holds_plus_minus(const MathNode& node);
/// Lists, sets, and terms with a double sign: what has members.
bool is_collection(const MathNode& node);
bool is_structure(const MathNode& node);  // tuple, matrix or set

/// The upper or the lower sign everywhere.
MathNode with_sign(const MathNode& node, bool upper);
/// Inequalities in one letter as intervals; nothing for anything else.
std::optional<MathNode> as_interval(const MathNode& node);
/// The right side of "x = value" with one letter (or f(x)) on the left; else null.
const MathNode* value_of_equation(const MathNode& node);

/// Of a collection, double signs resolved; any other node is its own only member.
std::vector<MathNode> members_of(const MathNode& node);
/// "x=1, 2" and "x=1 or x=2" become lists of values of one letter.
void strip_letter(std::vector<MathNode>& items);

/// Multiples, quotients and sums of matrices as the matrix that they are.
MathNode with_matrix_arithmetic(MathNode node);

}  // namespace assay::evals
