// The end of every matrix product: nodes of the shard tree, scales, bias, output.
#pragma once

#include "engine/cuda/device.cuh"
#include "engine/ops/device_gemm.h"

namespace assay::engine {

/// Stores what one output of one token has become; `part` of kParts.
__device__ __forceinline__ void store_output(const DeviceGemmArgs& args, int part, int token,
                                             int row, float value) {
  if (args.kind == GemmOut::kParts) {
    const std::int64_t at = static_cast<std::int64_t>(part) * args.tokens + token;
    static_cast<float*>(args.out)[at * args.ldo + row] = value;
    return;
  }
  if (args.w.row_scale != nullptr) value = __fmul_rn(value, args.w.row_scale[row]);
  if (args.w.bias != nullptr) value = __fadd_rn(value, args.w.bias[row]);
  const std::int64_t at = static_cast<std::int64_t>(token) * args.ldo + row;
  if (args.kind == GemmOut::kBf16) {
    static_cast<bf16*>(args.out)[at] = to_bf16(value);
  } else {
    static_cast<float*>(args.out)[at] = value;
  }
}

/// The token's factor for a shard's sum.
__device__ __forceinline__ float shard_scale(const DeviceGemmArgs& args, int token, int shard) {
  if (args.a_scale == nullptr || token >= args.tokens) return 1.0F;
  return args.a_scale[static_cast<std::int64_t>(token) * args.w.shards + shard];
}

}  // namespace assay::engine
