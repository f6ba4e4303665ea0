// Rotary position embedding and the write into the key/value cache, in one pass. Defined, bit for
// bit, by the CPU kernel `rope` and by `KvCache::store`.
#pragma once

#include "engine/cuda/runtime.h"
#include "engine/ops/device_cache.h"

namespace assay::engine {

/// Device memory, 16-byte aligned.
struct RopeCacheArgs {
  bf16* qkv = nullptr;  // [rows, ld]: H query heads (rotated in place), Hkv of keys, Hkv of values
  int ld = 0;
  int heads = 0;
  DeviceRows rows;
  DeviceCache cache;
  const float* cos = nullptr;  // [positions, head_dim / 2]
  const float* sin = nullptr;
};

/// Enqueues on `stream`. REQUIRES: no two rows with the same page and place in it, but for the
/// scratch page; head_dim even, at most 256.
void rope_cache_cuda(CudaStream stream, const RopeCacheArgs& args);

}  // namespace assay::engine
