// Residual addition, root-mean-square normalisation and quantization of a row, in one pass.
// Source: Zhang and Sennrich 2019, eq. 4. Defined, bit for bit, by the CPU kernels `add_residual`
// and `rms_norm` (engine/ops/cpu_kernels.h); the CUDA kernel gives the same bits.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"
#include "engine/ops/next_input.h"
#include "engine/ops/number.h"

namespace assay::engine {

/// All pointers are device memory, 16-byte aligned.
struct RmsNormArgs {
  bf16* x = nullptr;              // [*, cols] residual stream; updated when `sums` is there
  const int* row_of = nullptr;    // [rows] row of x for each output row; null: the same number
  const float* weight = nullptr;  // [cols]
  int rows = 0;
  int cols = 0;  // REQUIRES: <= 32768
  float eps = 0;
  NextInput next;  // one shard
  // x = bf16(x + bf16(sum * scale + bias)), where sum folds the parts of a row-parallel product as
  // a binary tree. Null: x is taken as it is.
  const float* sums = nullptr;        // [parts, sum_rows, cols]
  const float* part_scale = nullptr;  // [sum_rows, parts] factor of each part, or null: 1
  const float* sum_scale = nullptr;   // [cols] or null: 1
  const float* bias = nullptr;        // [cols] or null: 0
  int parts = 1;                      // 1, 2, 4 or 8
  int sum_rows = 0;                   // rows of a part
};

/// Enqueues on `stream`. A row's bits depend on that row alone.
void rms_norm_cuda(CudaStream stream, const RmsNormArgs& args);
/// Bytes that any implementation must move.
std::int64_t rms_norm_bytes(const RmsNormArgs& args);

}  // namespace assay::engine
