#include "engine/cuda/launch.cuh"
#include "engine/ops/embed.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;

__device__ TokenId token_of(const StepTokens& tokens, std::int64_t row) {
  const int from = tokens.from == nullptr ? -1 : tokens.from[row];
  if (from < 0) return tokens.ids[row];
  const LogitAnswer& answer = tokens.before[from];
  return answer.finite != 0 ? answer.chosen : 0;
}

/// Grid: rows. Block: 256 threads, one row. `wide`: eight values a load, for widths that are
/// multiples of 8.
__global__ void __launch_bounds__(kThreads) embed_kernel(const EmbedArgs args, const bool wide) {
  wait_for_inputs();
  let_next_start();
  const std::int64_t row = blockIdx.x;
  const bf16* from = args.table + static_cast<std::int64_t>(token_of(args.tokens, row)) * args.ld;
  bf16* to = args.out + row * args.cols;
  const int thread = static_cast<int>(threadIdx.x);
  if (wide) {
    const auto* eights = reinterpret_cast<const uint4*>(from);
    for (int i = thread; i < args.cols / 8; i += kThreads) {
      reinterpret_cast<uint4*>(to)[i] = eights[i];
    }
  } else {
    for (int i = thread; i < args.cols; i += kThreads) to[i] = from[i];
  }
}

/// Grid: rows. Block: 256 threads, one row.
__global__ void __launch_bounds__(kThreads) embed_part_kernel(const EmbedPartArgs args) {
  const std::int64_t row = blockIdx.x;
  const int id = token_of(args.tokens, row) - args.first;
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
  launch(stream,
         {.name = "embed",
          .grid_x = static_cast<unsigned>(args.rows),
          .threads = kThreads,
          .early = true},
         embed_kernel, args, args.cols % 8 == 0 && args.ld % 8 == 0);
}

void embed_part_cuda(CudaStream stream, const EmbedPartArgs& args) {
  if (args.rows == 0) return;
  launch(stream,
         {.name = "embed_part", .grid_x = static_cast<unsigned>(args.rows), .threads = kThreads},
         embed_part_kernel, args);
}

}  // namespace assay::engine
