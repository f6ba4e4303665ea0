#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/ops/rank_sum.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;
constexpr int kMostNodes = static_cast<int>(kMostRanks);

/// Grid: any. Block: 256 threads; a thread owns single columns, reads all their nodes and then
/// writes, so that outputs may lie on inputs. No shared memory.
__global__ void __launch_bounds__(kThreads) fold_ranks_kernel(const FoldRanksArgs args) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int nodes = args.ranks * args.parts;
  for (std::int64_t i = first; i < args.count; i += step) {
    float node[kMostNodes];
#pragma unroll
    for (int n = 0; n < kMostNodes; ++n) {
      if (n < nodes) node[n] = args.in[n / args.parts][n % args.parts * args.stride + i];
    }
#pragma unroll
    for (int width = kMostNodes; width > 1; width /= 2) {
      if (nodes < width) continue;
#pragma unroll
      for (int n = 0; n < width / 2; ++n) node[n] = __fadd_rn(node[2 * n], node[2 * n + 1]);
    }
#pragma unroll
    for (int o = 0; o < kMostNodes; ++o) {
      if (o < args.outs) args.out[o][i] = node[0];
    }
  }
}

/// Grid: rows. Block: 256 threads, one row.
__global__ void __launch_bounds__(kThreads) join_columns_kernel(const JoinColumnsArgs args) {
  const std::int64_t row = blockIdx.x;
  float* out = args.out + row * args.width;
  for (int i = static_cast<int>(threadIdx.x); i < args.width; i += kThreads) {
    out[i] = args.in[i / args.cols][row * args.cols + i % args.cols];
  }
}

}  // namespace

void fold_ranks_cuda(CudaStream stream, const FoldRanksArgs& args) {
  const int nodes = args.ranks * args.parts;
  ASSAY_CHECK(nodes == 1 || nodes == 2 || nodes == 4 || nodes == 8, "nodes form a tree");
  ASSAY_CHECK(args.outs <= kMostNodes, "outputs of a sum over ranks");
  if (args.count == 0) return;
  constexpr std::int64_t kMostBlocks = 1024;
  const std::int64_t blocks = (args.count + kThreads - 1) / kThreads;
  launch(stream,
         {.name = "fold_ranks",
          .grid_x = static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks),
          .threads = kThreads},
         fold_ranks_kernel, args);
}

void join_columns_cuda(CudaStream stream, const JoinColumnsArgs& args) {
  ASSAY_CHECK(args.width <= args.ranks * args.cols, "columns of all ranks");
  if (args.rows == 0) return;
  launch(stream,
         {.name = "join_columns", .grid_x = static_cast<unsigned>(args.rows), .threads = kThreads},
         join_columns_kernel, args);
}

}  // namespace assay::engine
