// Scales of blocks of 128 inputs in the order that cuBLASLt reads them.
#pragma once

#include "engine/cuda/runtime.h"

namespace assay::engine {

/// Device memory.
struct TransposeScalesArgs {
  const float* in = nullptr;      // [rows, cols]
  const float* factor = nullptr;  // [rows], or null: 1
  float* out = nullptr;           // [cols, ld]
  int rows = 0;
  int cols = 0;
  int ld = 0;  // >= rows
};

/// Enqueues on `stream`: out[c, r] = in[r, c] x factor[r]; zeros from column `rows` on.
void transpose_scales_cuda(CudaStream stream, const TransposeScalesArgs& args);

}  // namespace assay::engine
