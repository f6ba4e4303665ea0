// The order in which ranks' partial sums are added: the definition that every communicator follows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace assay::engine {

inline constexpr std::size_t kMostRanks = 8;

/// Sum over parts at index `i`, as a binary tree over them: ((0+1)+(2+3))+...
/// REQUIRES: 1, 2, 4 or 8 parts.
inline float tree_sum(std::span<const float* const> parts, std::int64_t i) {
  float level[kMostRanks];
  std::size_t left = parts.size();
  for (std::size_t r = 0; r < left; ++r) level[r] = parts[r][i];
  for (; left > 1; left /= 2) {
    for (std::size_t r = 0; r < left / 2; ++r) level[r] = level[2 * r] + level[2 * r + 1];
  }
  return level[0];
}

}  // namespace assay::engine
