// One text for answers that are the same, to count votes by: majorities over many answers need a
// name for each, not a comparison of each two. Source of the equality: math_equal.h.
#pragma once

#include <string>
#include <string_view>

namespace assay::evals {

/// Equal for answers that `math_equal` holds equal by the value of their scalars and the order,
/// brackets and members of their structures; units count for nothing. Coarser readings, which need
/// the other side (a clock as a ratio, a comma that may be one of thousands), do not join. "" for a
/// blank answer. Bounded work; thread-safe.
std::string math_key(std::string_view answer);

}  // namespace assay::evals
