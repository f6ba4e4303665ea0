#include "base/check.h"
#include "engine/cuda/gemm_store.cuh"
#include "engine/cuda/launch.cuh"
#include "engine/ops/scale_outputs.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;

/// Grid: tokens x parts. Block: 256 threads over the outputs of one token.
__global__ void __launch_bounds__(kThreads) scale_outputs_kernel(const DeviceGemmArgs args) {
  wait_for_inputs();
  let_next_start();
  const int token = static_cast<int>(blockIdx.x);
  const int part = static_cast<int>(blockIdx.y);
  const std::int64_t at = (static_cast<std::int64_t>(part) * args.tokens + token) * args.ldo;
  const float factor = shard_scale(args, token, part);
  for (int row = static_cast<int>(threadIdx.x); row < args.w.rows; row += kThreads) {
    const float value = args.kind == GemmOut::kBf16
                            ? from_bf16(static_cast<const bf16*>(args.out)[at + row])
                            : static_cast<const float*>(args.out)[at + row];
    store_output(args, part, token, row, output_row(args, row), __fmul_rn(value, factor));
  }
}

}  // namespace

void scale_outputs_cuda(CudaStream stream, const DeviceGemmArgs& args) {
  const int parts = args.kind == GemmOut::kParts ? args.parts : 1;
  ASSAY_CHECK(parts == args.w.shards, "a part for each shard");
  if (args.tokens == 0) return;
  launch(stream,
         {.name = "scale_outputs",
          .grid_x = static_cast<unsigned>(args.tokens),
          .grid_y = static_cast<unsigned>(parts),
          .threads = kThreads,
          .early = true},
         scale_outputs_kernel, args);
}

}  // namespace assay::engine
