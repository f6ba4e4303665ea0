// The product in the CPU's order of additions, on CUDA cores.
#include "base/check.h"
#include "engine/cuda/gemm_store.cuh"
#include "engine/cuda/launch.cuh"
#include "engine/ops/device_gemm.h"

namespace assay::engine {
namespace {

constexpr int kTileRows = 32;   // outputs of a block
constexpr int kTileTokens = 8;  // a thread sums one output of one token
constexpr int kThreads = kTileRows * kTileTokens;
constexpr int kBlockK = static_cast<int>(kBlock);
constexpr int kStride = kBlockK + 1;  // floats; the threads of a warp read different rows
constexpr std::size_t kSharedBytes = (kTileRows + kTileTokens) * kStride * sizeof(float);

__device__ __forceinline__ float load_value(const void* base, std::int64_t at, bool is_e4m3) {
  return is_e4m3 ? from_e4m3(static_cast<const e4m3*>(base)[at])
                 : from_bf16(static_cast<const bf16*>(base)[at]);
}

/// 64 products from zero, in pairs, the odd element first.
__device__ __forceinline__ float chain(const float* w, const float* a) {
  float sum = 0.0F;
  for (int k = 0; k < kBlockK / 2; k += 2) {
    sum = __fmaf_rn(w[k + 1], a[k + 1], sum);
    sum = __fmaf_rn(w[k], a[k], sum);
  }
  return sum;
}

/// Grid: tiles of 32 outputs x tiles of 8 tokens. Block: 256 threads. Dynamic shared memory: a
/// block of 128 inputs of the tile's rows and tokens, as FP32.
__global__ void __launch_bounds__(kThreads, 4) gemm_exact_kernel(const DeviceGemmArgs args) {
  float* w = reinterpret_cast<float*>(shared_memory());
  float* a = w + kTileRows * kStride;
  const int thread = static_cast<int>(threadIdx.x);
  const int first_row = static_cast<int>(blockIdx.x) * kTileRows;
  const int first_token = static_cast<int>(blockIdx.y) * kTileTokens;
  const int r = thread % kTileRows;
  const int t = thread / kTileRows;
  const int token = first_token + t;
  const std::int64_t inputs = args.w.inputs();
  const bool w_is_e4m3 = args.w.type == WeightType::kE4m3;
  const int leaves = args.kind == GemmOut::kParts ? args.w.shards / args.parts : args.w.shards;
  float pending[3];  // subtrees that wait for their right neighbour, by height
  for (int shard = 0; shard < args.w.shards; ++shard) {
    float total = 0.0F;
    for (int k = 0; k < args.w.shard_k; k += kBlockK) {
      const std::int64_t at = static_cast<std::int64_t>(shard) * args.w.shard_k + k;
      __syncthreads();
      for (int i = thread; i < (kTileRows + kTileTokens) * kBlockK; i += kThreads) {
        const int line = i / kBlockK;
        const int column = i % kBlockK;
        float value = 0.0F;
        if (line < kTileRows) {
          const std::int64_t row = first_row + line;
          if (row < args.w.rows) {
            value = load_value(args.w.data, row * inputs + at + column, w_is_e4m3);
          }
        } else {
          const std::int64_t from = first_token + line - kTileRows;
          if (from < args.tokens) {
            value = load_value(args.a, from * inputs + at + column, args.a_is_e4m3);
          }
        }
        w[line * kStride + column] = value;
      }
      __syncthreads();
      const float* x = a + t * kStride;
      const float* y = w + r * kStride;
      float sum = __fadd_rn(chain(y, x), chain(y + kBlockK / 2, x + kBlockK / 2));
      if (args.w.group_scale != nullptr) {
        sum = scale_block(args, token, first_row + r, static_cast<int>(at / kBlockK), sum);
      }
      total = __fadd_rn(total, sum);
    }
    if (args.a_scale != nullptr) total = __fmul_rn(total, shard_scale(args, token, shard));
    bool joins = true;
#pragma unroll
    for (int level = 0; level < 3; ++level) {
      if (!joins || 2 << level > leaves) break;
      joins = (shard % leaves + 1) % (2 << level) == 0;
      if (joins) {
        total = __fadd_rn(pending[level], total);
      } else {
        pending[level] = total;
      }
    }
    if ((shard + 1) % leaves == 0) {
      const int row = first_row + r;
      if (row < args.w.rows && token < args.tokens) {
        store_output(args, shard / leaves, token, row, output_row(args, row), total);
      }
    }
  }
}

}  // namespace

void gemm_exact_cuda(CudaStream stream, const DeviceGemmArgs& args) {
  ASSAY_CHECK(args.w.shard_k % kBlockK == 0 && args.ldo >= args.w.rows, "shape of a product");
  ASSAY_CHECK(args.w.shards % args.parts == 0, "parts of a product");
  if (args.tokens == 0) return;
  launch(stream,
         {.name = "gemm_exact",
          .grid_x = static_cast<unsigned>((args.w.rows + kTileRows - 1) / kTileRows),
          .grid_y = static_cast<unsigned>((args.tokens + kTileTokens - 1) / kTileTokens),
          .threads = kThreads,
          .shared_bytes = kSharedBytes},
         gemm_exact_kernel, args);
}

}  // namespace assay::engine
