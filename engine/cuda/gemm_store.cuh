// The end of every matrix product: nodes of the shard tree, scales, bias, output.
#pragma once

#include "engine/cuda/device.cuh"
#include "engine/ops/device_gemm.h"

namespace assay::engine {

/// What the outputs of one row have in common.
struct OutputRow {
  float scale = 1;
  float bias = 0;
};
__device__ __forceinline__ OutputRow output_row(const DeviceGemmArgs& args, int row) {
  OutputRow out;
  if (args.kind == GemmOut::kParts || row >= args.w.rows) return out;
  if (args.w.row_scale != nullptr) out.scale = args.w.row_scale[row];
  if (args.w.bias != nullptr) out.bias = args.w.bias[row];
  return out;
}

/// Stores what one output of one token has become; `part` of kParts.
__device__ __forceinline__ void store_output(const DeviceGemmArgs& args, int part, int token,
                                             int row, const OutputRow& of_row, float value) {
  if (args.kind == GemmOut::kParts) {
    const std::int64_t at = static_cast<std::int64_t>(part) * args.tokens + token;
    static_cast<float*>(args.out)[at * args.ldo + row] = value;
    return;
  }
  if (args.w.row_scale != nullptr) value = __fmul_rn(value, of_row.scale);
  if (args.w.bias != nullptr) value = __fadd_rn(value, of_row.bias);
  const std::int64_t at = static_cast<std::int64_t>(token) * args.ldo + row;
  if (args.kind == GemmOut::kBf16) {
    static_cast<bf16*>(args.out)[at] = to_bf16(value);
  } else {
    static_cast<float*>(args.out)[at] = value;
  }
}

/// The sum of the 128 products of block `block`, with the scales of its group.
__device__ __forceinline__ float scale_block(const DeviceGemmArgs& args, int token, int row,
                                             int block, float sum) {
  if (row >= args.w.rows || token >= args.tokens) return 0.0F;
  const std::int64_t blocks = args.w.blocks();
  sum = __fmul_rn(sum, args.w.group_scale[row * blocks + block]);
  return args.w.grouped_input() ? __fmul_rn(sum, args.a_scale[token * blocks + block]) : sum;
}

/// The token's factor for a shard's sum.
__device__ __forceinline__ float shard_scale(const DeviceGemmArgs& args, int token, int shard) {
  if (args.a_scale == nullptr || token >= args.tokens || args.w.grouped_input()) return 1.0F;
  return args.a_scale[static_cast<std::int64_t>(token) * args.w.shards + shard];
}

}  // namespace assay::engine
