#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/silu_mul.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;
constexpr float kLog2E = 1.44269504F;

__device__ __forceinline__ float activated(float gate, float up) {
  const float e = exp2_exact(__fmul_rn(gate, -kLog2E));
  return __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0F, e)), up);
}

/// Eight features at once: gates and ups lie side by side in groups of eight.
__device__ __forceinline__ void activate_group(const bf16* in, int feature, float* y) {
  static_assert(kGateUpGroup == 8);
  const uint4 gates = *reinterpret_cast<const uint4*>(in + gate_up_row(feature, 0));
  const uint4 ups = *reinterpret_cast<const uint4*>(in + gate_up_row(feature, 1));
  const unsigned g[4] = {gates.x, gates.y, gates.z, gates.w};
  const unsigned u[4] = {ups.x, ups.y, ups.z, ups.w};
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    y[2 * k] = activated(low_bf16(g[k]), low_bf16(u[k]));
    y[2 * k + 1] = activated(high_bf16(g[k]), high_bf16(u[k]));
  }
}

/// Grid: rows x shards. Block: 256 threads, one shard of one row. Dynamic shared memory: the shard
/// in FP32 and 34 floats. `wide`: a shard is whole groups of eight features.
__global__ void __launch_bounds__(kThreads)
    silu_mul_kernel(const SiluMulArgs args, const bool wide) {
  wait_for_inputs();
  let_next_start();
  float* y = reinterpret_cast<float*>(shared_memory());
  const int used = args.next.shard_used;
  float* reduce = y + used;
  const std::int64_t row = blockIdx.x;
  const int shard = static_cast<int>(blockIdx.y);
  const bf16* in = args.gate_up + row * args.ld;
  if (wide) {
    for (int i = static_cast<int>(threadIdx.x) * kGateUpGroup; i < used;
         i += kThreads * kGateUpGroup) {
      activate_group(in, shard * used + i, y + i);
    }
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < used; i += kThreads) {
      const int feature = shard * used + i;
      y[i] = feature < args.features ? activated(from_bf16(in[gate_up_row(feature, 0)]),
                                                 from_bf16(in[gate_up_row(feature, 1)]))
                                     : 0.0F;
    }
  }
  __syncthreads();
  store_next_input(args.next, row, shard, y, reduce);
}

}  // namespace

void silu_mul_cuda(CudaStream stream, const SiluMulArgs& args) {
  ASSAY_CHECK(args.next.shards * args.next.shard_used >= args.features, "features of an MLP");
  if (args.rows == 0) return;
  const auto floats = static_cast<std::size_t>(args.next.shard_used + kReduceFloats);
  const bool wide = args.next.shard_used % kGateUpGroup == 0 && args.ld % kGateUpGroup == 0 &&
                    args.next.shards * args.next.shard_used == args.features;
  launch(stream,
         {.name = "silu_mul",
          .grid_x = static_cast<unsigned>(args.rows),
          .grid_y = static_cast<unsigned>(args.next.shards),
          .threads = kThreads,
          .shared_bytes = floats * sizeof(float),
          .early = true},
         silu_mul_kernel, args, wide);
}

std::int64_t silu_mul_bytes(const SiluMulArgs& args) {
  const std::int64_t out = args.next.scale == nullptr ? 2 : 1;
  return static_cast<std::int64_t>(args.rows) * args.features * (4 + out);
}

}  // namespace assay::engine
