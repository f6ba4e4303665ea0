// What tensor-parallel ranks exchange, once every rank's part can be read on this device: their
// partial sums are folded as the tree of engine/parallel/tree_sum.h, their slices of the logits are
// put side by side.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"
#include "engine/parallel/tree_sum.h"

namespace assay::engine {

/// Device memory. Node n of rank r is in[r] + n * stride; the tree has ranks * parts leaves, a
/// rank's side by side.
struct FoldRanksArgs {
  const float* in[kMostRanks] = {};
  float* out[kMostRanks] = {};  // the sum goes to each; may be node 0 of an input
  int ranks = 1;
  int parts = 1;  // nodes of a rank; REQUIRES: ranks * parts is 1, 2, 4 or 8
  int outs = 1;
  std::int64_t stride = 0;  // floats
  std::int64_t count = 0;   // floats of a node
};
/// Enqueues on `stream`. The same bits as tree_sum over the nodes.
void fold_ranks_cuda(CudaStream stream, const FoldRanksArgs& args);

/// Device memory. out[row, r * cols + c] = in[r][row, c] for all columns below `width`.
struct JoinColumnsArgs {
  const float* in[kMostRanks] = {};  // [rows, cols]
  float* out = nullptr;              // [rows, width]
  int ranks = 1;
  int rows = 0;
  int cols = 0;
  int width = 0;  // REQUIRES: <= ranks * cols
};
/// Enqueues on `stream`.
void join_columns_cuda(CudaStream stream, const JoinColumnsArgs& args);

}  // namespace assay::engine
