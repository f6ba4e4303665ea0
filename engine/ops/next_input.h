// Where a row kernel leaves the activations that the next matrix product reads.
#pragma once

#include <cstdint>

namespace assay::engine {

/// Device memory. The product's K is `shards` parts of `shard_used` values, each padded to
/// `shard_k` (engine/ops/device_gemm.h); the row kernels write zeros into the padding.
struct NextInput {
  void* out = nullptr;     // [rows, shards * shard_k], E4M3 codes with scales, else BF16
  float* scale = nullptr;  // [rows, shards], or null: not quantized
  int shards = 1;
  int shard_used = 0;
  int shard_k = 0;  // a multiple of 128
};

}  // namespace assay::engine
