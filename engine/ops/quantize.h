// Quantization on the device: activations that are BF16 already, and weights while they load.
// Defined by the CPU kernel `pack_row` and by engine/ops/gemm.h `pack_row`; the same codes and
// scales, bit for bit.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"
#include "engine/ops/device_gemm.h"
#include "engine/ops/next_input.h"
#include "engine/ops/number.h"

namespace assay::engine {

/// Device memory, 16-byte aligned.
struct PackRowsArgs {
  const bf16* in = nullptr;  // [rows, ld]
  int ld = 0;
  int rows = 0;
  int cols = 0;    // values of a row; what the shards hold beyond them is zero
  NextInput next;  // shards * shard_used >= cols
};
/// Attention's output to the input of o_proj.
void pack_rows_cuda(CudaStream stream, const PackRowsArgs& args);

/// Rows of a matrix on their way into device memory.
struct WeightRowsArgs {
  const float* in = nullptr;  // [rows, cols]
  int rows = 0;
  int cols = 0;
  DeviceMatrix to;      // its row_scale is written, too
  int first_row = 0;    // of `in` among the tensor's rows that the matrix has
  int row_offset = 0;   // of the tensor in the matrix
  int first_col = 0;    // of the tensor's columns that the matrix has, shards * shard_used of them
  int interleave = -1;  // 0 gate or 1 up of engine/ops/silu_mul.h; -1: rows follow each other
  const float* common = nullptr;  // amax of the whole tensor, for one scale; null: a scale a row
};
/// E4M3 codes of value / scale, or BF16 values; padding inputs become zero.
void weight_rows_cuda(CudaStream stream, const WeightRowsArgs& args);

/// Rows of codes on their way into device memory, as values at their padded places.
struct CodeRowsArgs {
  const float* in = nullptr;           // [rows, to.inputs()]
  const float* row_scale = nullptr;    // [rows]
  const float* group_scale = nullptr;  // [rows, to.blocks()] where `to` has them
  int rows = 0;
  DeviceMatrix to;  // its scales are written, too
  int first_row = 0;
  int row_offset = 0;
  int interleave = -1;  // as in WeightRowsArgs
};
void code_rows_cuda(CudaStream stream, const CodeRowsArgs& args);

/// *amax = max(*amax, largest magnitude of in [count]), NaN when one is not finite. Start with 0.
void weight_amax_cuda(CudaStream stream, const float* in, std::int64_t count, float* amax);

/// Rows [first_row, first_row + rows) of a dummy tensor, as engine/weight_sources.h defines them.
struct DummyRowsArgs {
  float* out = nullptr;  // [rows, cols]
  int rows = 0;
  int cols = 0;
  int first_row = 0;
  std::uint64_t key = 0;  // fnv1a of the tensor's name
};
void dummy_rows_cuda(CudaStream stream, const DummyRowsArgs& args);

}  // namespace assay::engine
