// What the values of a checkpoint's tensors look like: to find damage and wrong scales.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/checkpoint.h"

namespace assay::engine {

struct TensorStats {
  std::string name;
  double amax = 0;  // of the finite values
  double rms = 0;   // of the finite values
  std::int64_t not_finite = 0;
};

/// REQUIRES: BF16, F16 or F32.
TensorStats tensor_stats(const TensorView& tensor);

/// Statistics of every tensor the model uses, in the order of the forward pass.
std::vector<TensorStats> checkpoint_stats(const Checkpoint& checkpoint);

/// Sentences about what should not be: values that are not finite; matrices whose largest value is
/// outside [1e-4, 1e3] or whose RMS is more than a factor of 100 from the median of all matrices.
std::vector<std::string> suspicious(std::span<const TensorStats> stats);

}  // namespace assay::engine
