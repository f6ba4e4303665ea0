#include "engine/cuda/launch.cuh"
#include "engine/ops/transpose_scales.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;

/// Grid: pieces of 256 columns of the output x its rows. A thread writes one value. Scales are a
/// 128th of the codes, so that the reads, one cache line a thread, do not matter.
__global__ void __launch_bounds__(kThreads)
    transpose_scales_kernel(const TransposeScalesArgs args) {
  const int row = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  const int col = static_cast<int>(blockIdx.y);
  if (row >= args.ld) return;
  float value = 0;
  if (row < args.rows) {
    value = args.in[static_cast<std::int64_t>(row) * args.cols + col];
    if (args.factor != nullptr) value = __fmul_rn(value, args.factor[row]);
  }
  args.out[static_cast<std::int64_t>(col) * args.ld + row] = value;
}

}  // namespace

/// Not early: what is written may still be read by the product in front, which is not this
/// project's and says nothing of its end.
void transpose_scales_cuda(CudaStream stream, const TransposeScalesArgs& args) {
  if (args.ld == 0 || args.cols == 0) return;
  launch(stream,
         {.name = "transpose_scales",
          .grid_x = static_cast<unsigned>((args.ld + kThreads - 1) / kThreads),
          .grid_y = static_cast<unsigned>(args.cols),
          .threads = kThreads},
         transpose_scales_kernel, args);
}

}  // namespace assay::engine
