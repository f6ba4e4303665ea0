#include "engine/cuda/launch.cuh"
#include "engine/ops/embed.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;

/// Grid: rows. Block: 256 threads, one row; 4 bytes a load, for widths that are no multiple of 8.
__global__ void __launch_bounds__(kThreads) embed_kernel(const EmbedArgs args) {
  const std::int64_t row = blockIdx.x;
  const bf16* from = args.table + static_cast<std::int64_t>(args.ids[row]) * args.ld;
  bf16* to = args.out + row * args.cols;
  for (int i = static_cast<int>(threadIdx.x); i < args.cols; i += kThreads) to[i] = from[i];
}

/// Grid: rows. Block: 256 threads, one row.
__global__ void __launch_bounds__(kThreads) embed_part_kernel(const EmbedPartArgs args) {
  const std::int64_t row = blockIdx.x;
  const int id = args.ids[row] - args.first;
  const bool here = id >= 0 && id < args.count;
  const bf16* from = args.table + static_cast<std::int64_t>(here ? id : 0) * args.ld;
  float* to = args.out + row * args.cols;
  for (int i = static_cast<int>(threadIdx.x); i < args.cols; i += kThreads) {
    to[i] = here ? from_bf16(from[i]) : 0.0F;
  }
}

}  // namespace

void embed_cuda(CudaStream stream, const EmbedArgs& args) {
  if (args.rows == 0) return;
  launch(stream, {.name = "embed", .grid_x = static_cast<unsigned>(args.rows), .threads = kThreads},
         embed_kernel, args);
}

void embed_part_cuda(CudaStream stream, const EmbedPartArgs& args) {
  if (args.rows == 0) return;
  launch(stream,
         {.name = "embed_part", .grid_x = static_cast<unsigned>(args.rows), .threads = kThreads},
         embed_part_kernel, args);
}

}  // namespace assay::engine
