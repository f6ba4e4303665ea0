// Frequencies of the rotary position embedding.
// Source: Su et al. 2021, "RoFormer"; the "llama3" rescaling is that of Llama 3.1.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model_config.h"

namespace assay::engine {

/// f_j for the pairs (j, j + head_dim / 2): the angle at position p is p * f_j radians.
/// Shape [head_dim / 2]. Double precision: in FP32 the phase is off by 0.008 at position 131072.
/// REQUIRES: head_dim even and positive. Scaling applies at every position, not only long ones.
std::vector<double> rope_inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim);

}  // namespace assay::engine
