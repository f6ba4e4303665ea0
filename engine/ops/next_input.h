// Where a row kernel leaves the activations that the next matrix product reads.
#pragma once

#include <cstdint>

#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

/// What a block of 128 of a shard's padded inputs holds: inputs [begin, end) of the shard at their
/// places in the block of 128 that they come from, zeros elsewhere.
struct InputPiece {
  int begin = 0;
  int end = 0;
};

/// Device memory. The product's K is `shards` parts of `shard_used` values, each padded to
/// `shard_k` (engine/ops/device_gemm.h); the row kernels write zeros into the padding.
struct NextInput {
  void* out = nullptr;     // [rows, shards * shard_k], E4M3 codes, or BF16 values
  float* scale = nullptr;  // [rows, shards] or kE4m3Group [rows, blocks]; null: not quantized
  int shards = 1;
  int shard_used = 0;
  int shard_k = 0;                                   // a multiple of 128
  ActivationType type = ActivationType::kE4m3Token;  // where `scale` is given; INT8 as BF16 values
  float static_scale = 0;
  float amax_bound = 0;                // dynamic scales: amax is cut to it; 0: not
  const InputPiece* pieces = nullptr;  // [shards, shard_k / 128]; null: inputs follow each other
};

}  // namespace assay::engine
