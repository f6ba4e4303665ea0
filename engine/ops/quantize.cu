#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/quantize.h"
#include "engine/ops/silu_mul.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;

/// Grid: rows x shards. Block: 256 threads, one shard of one row. Dynamic shared memory: the shard
/// in FP32 and 34 floats. `wide`: a shard is whole, aligned groups of four values.
__global__ void __launch_bounds__(kThreads)
    pack_rows_kernel(const PackRowsArgs args, const bool wide) {
  wait_for_inputs();
  let_next_start();
  float* y = reinterpret_cast<float*>(shared_memory());
  const int used = args.next.shard_used;
  const std::int64_t row = blockIdx.x;
  const int shard = static_cast<int>(blockIdx.y);
  const bf16* in = args.in + row * args.ld;
  if (wide) {
    for (int i = static_cast<int>(threadIdx.x) * 4; i < used; i += kThreads * 4) {
      const uint2 four = *reinterpret_cast<const uint2*>(in + shard * used + i);
      y[i] = low_bf16(four.x);
      y[i + 1] = high_bf16(four.x);
      y[i + 2] = low_bf16(four.y);
      y[i + 3] = high_bf16(four.y);
    }
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < used; i += kThreads) {
      const int col = shard * used + i;
      y[i] = col < args.cols ? from_bf16(in[col]) : 0.0F;
    }
  }
  __syncthreads();
  store_next_input(args.next, row, shard, y, y + used);
}

__device__ __forceinline__ float largest_magnitude(const float* in, std::int64_t first,
                                                   std::int64_t count, std::int64_t step) {
  unsigned top = 0;
  for (std::int64_t i = first; i < count; i += step) {
    unsigned magnitude = __float_as_uint(in[i]) & 0x7FFFFFFFU;
    if (magnitude >= 0x7F800000U) magnitude = 0x7FC00000U;
    top = magnitude > top ? magnitude : top;
  }
  for (int lanes = 16; lanes >= 1; lanes /= 2) {
    const unsigned other = __shfl_xor_sync(kAllLanes, top, lanes);
    top = other > top ? other : top;
  }
  return __uint_as_float(top);
}

/// Grid: rows. Block: 256 threads, one row. Dynamic shared memory: 8 floats.
__global__ void __launch_bounds__(kThreads) weight_rows_kernel(const WeightRowsArgs args) {
  float* reduce = reinterpret_cast<float*>(shared_memory());
  const int row = static_cast<int>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t feature = args.first_row + row;
  const std::int64_t to_row =
      args.row_offset + (args.interleave < 0 ? feature : gate_up_row(feature, args.interleave));
  const float* in = args.in + static_cast<std::int64_t>(row) * args.cols;
  const bool quantize = args.to.type == WeightType::kE4m3;
  float scale = 1.0F;
  if (quantize && args.common != nullptr) {
    scale = scale_of(*args.common);
  } else if (quantize) {
    const float top = largest_magnitude(in, thread, args.cols, kThreads);
    if (thread % 32 == 0) reduce[thread / 32] = top;
    __syncthreads();
    float amax = 0.0F;
    for (int warp = 0; warp < kThreads / 32; ++warp) {
      // As bits, so that a NaN wins.
      amax = __float_as_uint(reduce[warp]) > __float_as_uint(amax) ? reduce[warp] : amax;
    }
    scale = scale_of(amax);
  }
  if (quantize && thread == 0) args.to.row_scale[to_row] = scale;
  const std::int64_t inputs = args.to.inputs();
  for (int k = thread; k < inputs; k += kThreads) {
    const int shard = k / args.to.shard_k;
    const int inside = k % args.to.shard_k;
    const int from = args.first_col + shard * args.to.shard_used + inside;
    const bool used = inside < args.to.shard_used && from < args.cols;
    const float value = used ? in[from] : 0.0F;
    if (quantize) {
      static_cast<e4m3*>(args.to.data)[to_row * inputs + k] = to_e4m3(__fdiv_rn(value, scale));
    } else {
      static_cast<bf16*>(args.to.data)[to_row * inputs + k] = to_bf16(value);
    }
  }
}

/// Grid: rows. Block: 256 threads, one row.
__global__ void __launch_bounds__(kThreads) code_rows_kernel(const CodeRowsArgs args) {
  const std::int64_t row = blockIdx.x;
  const std::int64_t feature = args.first_row + row;
  const std::int64_t to_row =
      args.row_offset + (args.interleave < 0 ? feature : gate_up_row(feature, args.interleave));
  const std::int64_t inputs = args.to.inputs();
  const std::int64_t blocks = args.to.blocks();
  for (std::int64_t k = threadIdx.x; k < inputs; k += kThreads) {
    const float value = args.in[row * inputs + k];
    if (args.to.type == WeightType::kE4m3) {
      static_cast<e4m3*>(args.to.data)[to_row * inputs + k] = to_e4m3(value);
    } else {
      static_cast<bf16*>(args.to.data)[to_row * inputs + k] = to_bf16(value);
    }
  }
  if (args.to.group_scale != nullptr) {
    for (std::int64_t b = threadIdx.x; b < blocks; b += kThreads) {
      args.to.group_scale[to_row * blocks + b] = args.group_scale[row * blocks + b];
    }
  }
  if (threadIdx.x == 0) args.to.row_scale[to_row] = args.row_scale[row];
}

/// Grid: any. Block: 256 threads. Integer maximum of non-negative floats: the order is free.
__global__ void __launch_bounds__(kThreads)
    weight_amax_kernel(const float* in, std::int64_t count, float* amax) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const float top =
      largest_magnitude(in, first, count, static_cast<std::int64_t>(gridDim.x) * kThreads);
  if (threadIdx.x % 32 == 0) {
    atomicMax(reinterpret_cast<unsigned*>(amax), __float_as_uint(top));
  }
}

/// Ten rounds of Philox 4x32 (base/random.h).
__device__ __forceinline__ void philox(unsigned (&counter)[4], unsigned key0, unsigned key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter[0] = static_cast<unsigned>(product1 >> 32) ^ counter[1] ^ key0;
    counter[1] = static_cast<unsigned>(product1);
    counter[2] = static_cast<unsigned>(product0 >> 32) ^ counter[3] ^ key1;
    counter[3] = static_cast<unsigned>(product0);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
}

/// Grid: rows. Block: 256 threads, one row, four values a draw.
__global__ void __launch_bounds__(kThreads)
    dummy_rows_kernel(const DummyRowsArgs args, float range) {
  const std::int64_t row = args.first_row + static_cast<std::int64_t>(blockIdx.x);
  float* out = args.out + static_cast<std::int64_t>(blockIdx.x) * args.cols;
  for (int i = static_cast<int>(threadIdx.x) * 4; i < args.cols; i += kThreads * 4) {
    unsigned draw[4] = {static_cast<unsigned>(i), static_cast<unsigned>(row),
                        static_cast<unsigned>(row >> 32), 0};
    philox(draw, static_cast<unsigned>(args.key), static_cast<unsigned>(args.key >> 32));
    for (int k = 0; k < 4; ++k) {
      if (i + k >= args.cols) break;
      const float uniform = __fmul_rn(static_cast<float>(draw[k] >> 8), 1.0F / 16777216.0F);
      const float value = __fmul_rn(__fadd_rn(__fmul_rn(2.0F, uniform), -1.0F), range);
      out[i + k] = from_bf16(to_bf16(value));
    }
  }
}

}  // namespace

void pack_rows_cuda(CudaStream stream, const PackRowsArgs& args) {
  ASSAY_CHECK(args.next.shards * args.next.shard_used >= args.cols, "columns to pack");
  if (args.rows == 0) return;
  const auto floats = static_cast<std::size_t>(args.next.shard_used + kReduceFloats);
  const bool wide = args.next.shard_used % 4 == 0 && args.ld % 4 == 0 &&
                    args.next.shards * args.next.shard_used == args.cols;
  launch(stream,
         {.name = "pack_rows",
          .grid_x = static_cast<unsigned>(args.rows),
          .grid_y = static_cast<unsigned>(args.next.shards),
          .threads = kThreads,
          .shared_bytes = floats * sizeof(float),
          .early = true},
         pack_rows_kernel, args, wide);
}

void weight_rows_cuda(CudaStream stream, const WeightRowsArgs& args) {
  if (args.rows == 0) return;
  launch(stream,
         {.name = "weight_rows",
          .grid_x = static_cast<unsigned>(args.rows),
          .threads = kThreads,
          .shared_bytes = kThreads / 32 * sizeof(float)},
         weight_rows_kernel, args);
}

void code_rows_cuda(CudaStream stream, const CodeRowsArgs& args) {
  if (args.rows == 0) return;
  launch(stream,
         {.name = "code_rows", .grid_x = static_cast<unsigned>(args.rows), .threads = kThreads},
         code_rows_kernel, args);
}

void weight_amax_cuda(CudaStream stream, const float* in, std::int64_t count, float* amax) {
  constexpr std::int64_t kMostBlocks = 1024;
  const std::int64_t blocks = (count + kThreads - 1) / kThreads;
  if (blocks == 0) return;
  launch(stream,
         {.name = "weight_amax",
          .grid_x = static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks),
          .threads = kThreads},
         weight_amax_kernel, in, count, amax);
}

void dummy_rows_cuda(CudaStream stream, const DummyRowsArgs& args) {
  if (args.rows == 0) return;
  constexpr float kRange = 0.02F * 1.7320508F;  // standard deviation 0.02
  launch(stream,
         {.name = "dummy_rows", .grid_x = static_cast<unsigned>(args.rows), .threads = kThreads},
         dummy_rows_kernel, args, kRange);
}

}  // namespace assay::engine
