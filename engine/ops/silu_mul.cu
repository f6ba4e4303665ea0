#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/silu_mul.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;
constexpr float kLog2E = 1.44269504F;

/// Grid: rows x shards. Block: 256 threads, one shard of one row. Dynamic shared memory: the shard
/// in FP32 and 34 floats.
__global__ void __launch_bounds__(kThreads) silu_mul_kernel(const SiluMulArgs args) {
  float* y = reinterpret_cast<float*>(shared_memory());
  const int used = args.next.shard_used;
  float* reduce = y + used;
  const std::int64_t row = blockIdx.x;
  const int shard = static_cast<int>(blockIdx.y);
  const bf16* in = args.gate_up + row * args.ld;
  for (int i = static_cast<int>(threadIdx.x); i < used; i += kThreads) {
    const int feature = shard * used + i;
    float value = 0.0F;
    if (feature < args.features) {
      const float gate = from_bf16(in[gate_up_row(feature, 0)]);
      const float up = from_bf16(in[gate_up_row(feature, 1)]);
      const float e = exp2_exact(__fmul_rn(gate, -kLog2E));
      value = __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0F, e)), up);
    }
    y[i] = value;
  }
  __syncthreads();
  store_next_input(args.next, row, shard, y, reduce);
}

}  // namespace

void silu_mul_cuda(CudaStream stream, const SiluMulArgs& args) {
  ASSAY_CHECK(args.next.shards * args.next.shard_used >= args.features, "features of an MLP");
  if (args.rows == 0) return;
  const auto floats = static_cast<std::size_t>(args.next.shard_used + kReduceFloats);
  launch(stream,
         {.name = "silu_mul",
          .grid_x = static_cast<unsigned>(args.rows),
          .grid_y = static_cast<unsigned>(args.next.shards),
          .threads = kThreads,
          .shared_bytes = floats * sizeof(float)},
         silu_mul_kernel, args);
}

std::int64_t silu_mul_bytes(const SiluMulArgs& args) {
  const std::int64_t out = args.next.scale == nullptr ? 2 : 1;
  return static_cast<std::int64_t>(args.rows) * args.features * (4 + out);
}

}  // namespace assay::engine
