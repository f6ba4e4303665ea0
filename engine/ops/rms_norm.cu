#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/rms_norm.h"

namespace assay::engine {
namespace {

constexpr unsigned kMostThreads = 1024;

/// kWide consecutive values, kWide 1 or 4, in one load.
template <int kWide>
__device__ __forceinline__ void load_floats(const float* at, float (&out)[kWide]) {
  if constexpr (kWide == 4) {
    const float4 four = *reinterpret_cast<const float4*>(at);
    out[0] = four.x;
    out[1] = four.y;
    out[2] = four.z;
    out[3] = four.w;
  } else {
    out[0] = *at;
  }
}
template <int kWide>
__device__ __forceinline__ void load_halves(const bf16* at, float (&out)[kWide]) {
  if constexpr (kWide == 4) {
    const uint2 both = *reinterpret_cast<const uint2*>(at);
    out[0] = low_bf16(both.x);
    out[1] = high_bf16(both.x);
    out[2] = low_bf16(both.y);
    out[3] = high_bf16(both.y);
  } else {
    out[0] = from_bf16(*at);
  }
}
template <int kWide>
__device__ __forceinline__ void store_halves(bf16* at, const float (&values)[kWide]) {
  if constexpr (kWide == 4) {
    *reinterpret_cast<uint2*>(at) =
        uint2{to_bf16x2(values[0], values[1]), to_bf16x2(values[2], values[3])};
  } else {
    *at = to_bf16(values[0]);
  }
}

/// ((0+1)+(2+3))+((4+5)+(6+7)) of the parts of kWide columns, each times its factor. The loads of
/// all parts are in flight together: a row of few tokens is a chain of waits for memory.
template <int kWide>
__device__ __forceinline__ void fold_parts(const RmsNormArgs& args, std::int64_t row, int col,
                                           float (&sum)[kWide]) {
  const std::int64_t stride = static_cast<std::int64_t>(args.sum_rows) * args.cols;
  const float* at = args.sums + row * args.cols + col;
  float part[8][kWide];
#pragma unroll
  for (int p = 0; p < 8; ++p) {
    if (p < args.parts) {
      load_floats<kWide>(at, part[p]);
      at += stride;  // eight addresses at once are more registers than a thread has
    }
  }
  if (args.part_scale != nullptr) {
#pragma unroll
    for (int p = 0; p < 8; ++p) {
      if (p >= args.parts) break;
      const float factor = args.part_scale[row * args.parts + p];
      for (int k = 0; k < kWide; ++k) part[p][k] = __fmul_rn(part[p][k], factor);
    }
  }
#pragma unroll
  for (int half = 4; half >= 1; half /= 2) {
    if (args.parts < 2 * half) continue;
#pragma unroll
    for (int p = 0; p < half; ++p) {
      for (int k = 0; k < kWide; ++k) part[p][k] = __fadd_rn(part[2 * p][k], part[2 * p + 1][k]);
    }
  }
  for (int k = 0; k < kWide; ++k) sum[k] = part[0][k];
}

/// y = the row with the sums that wait, which x keeps too.
template <int kWide>
__device__ __forceinline__ void read_row(const RmsNormArgs& args, std::int64_t from, float* y) {
  bf16* x = args.x + from * args.cols;
  const int step = static_cast<int>(blockDim.x) * kWide;
  for (int i = static_cast<int>(threadIdx.x) * kWide; i < args.cols; i += step) {
    float value[kWide];
    load_halves<kWide>(x + i, value);
    if (args.sums != nullptr) {
      float delta[kWide];
      fold_parts<kWide>(args, from, i, delta);
      for (int k = 0; k < kWide; ++k) {
        if (args.sum_scale != nullptr) delta[k] = __fmul_rn(delta[k], args.sum_scale[i + k]);
        if (args.bias != nullptr) delta[k] = __fadd_rn(delta[k], args.bias[i + k]);
        value[k] = from_bf16(to_bf16(__fadd_rn(value[k], from_bf16(to_bf16(delta[k])))));
      }
      store_halves<kWide>(x + i, value);
    }
    for (int k = 0; k < kWide; ++k) y[i + k] = value[k];
  }
}

/// y = weight * (y * inverse).
template <int kWide>
__device__ __forceinline__ void scale_row(const RmsNormArgs& args, float inverse, float* y) {
  const int step = static_cast<int>(blockDim.x) * kWide;
  for (int i = static_cast<int>(threadIdx.x) * kWide; i < args.cols; i += step) {
    float weight[kWide];
    load_floats<kWide>(args.weight + i, weight);
    for (int k = 0; k < kWide; ++k) {
      float value = __fmul_rn(y[i + k], inverse);
      // As the original model does it in BF16; FP8 quantizes the FP32 value.
      if (args.next.scale == nullptr) value = from_bf16(to_bf16(value));
      y[i + k] = __fmul_rn(value, weight[k]);
    }
  }
}

/// Grid: rows. Block: a multiple of 32 threads, one row. Dynamic shared memory: the row in FP32 and
/// 34 floats. `wide`: columns, and so all rows, come in aligned fours. The sum of squares is 16
/// interleaved serial sums, as on the CPU: 512 additions for 8192 columns, about one microsecond,
/// which a tree would save and which buys equal bits.
__global__ void __launch_bounds__(kMostThreads)
    rms_norm_kernel(const RmsNormArgs args, const bool wide) {
  wait_for_inputs();
  let_next_start();
  float* y = reinterpret_cast<float*>(shared_memory());
  const int padded = (args.cols + 15) / 16 * 16;
  float* reduce = y + padded;
  const std::int64_t row = blockIdx.x;
  const std::int64_t from = args.row_of == nullptr ? row : args.row_of[row];
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = args.cols + thread; i < padded; i += static_cast<int>(blockDim.x)) y[i] = 0.0F;
  wide ? read_row<4>(args, from, y) : read_row<1>(args, from, y);
  __syncthreads();
  if (thread < 32) {
    float squares = 0.0F;
#pragma unroll 16
    for (int i = thread % 16; i < padded; i += 16) {
      squares = __fadd_rn(squares, __fmul_rn(y[i], y[i]));
    }
    const float mean = __fdiv_rn(sum_16_lanes(squares), static_cast<float>(args.cols));
    if (thread == 0) reduce[33] = __fdiv_rn(1.0F, __fsqrt_rn(__fadd_rn(mean, args.eps)));
  }
  __syncthreads();
  const float inverse = reduce[33];
  wide ? scale_row<4>(args, inverse, y) : scale_row<1>(args, inverse, y);
  __syncthreads();
  store_next_input(args.next, row, 0, y, reduce);
}

/// Few rows: many threads shorten each; many rows: small blocks overlap each other's serial part.
unsigned threads_of(const RmsNormArgs& args) {
  constexpr int kFewRows = 132;
  return args.rows <= kFewRows && args.cols >= 2048 ? kMostThreads : 256;
}

}  // namespace

void rms_norm_cuda(CudaStream stream, const RmsNormArgs& args) {
  ASSAY_CHECK(args.cols > 0 && args.cols <= 32768, "columns of a norm");
  ASSAY_CHECK(args.next.shards == 1 && args.next.shard_used == args.cols, "output of a norm");
  ASSAY_CHECK(args.parts == 1 || args.parts == 2 || args.parts == 4 || args.parts == 8,
              "parts form a tree");
  if (args.rows == 0) return;
  const auto floats = static_cast<std::size_t>((args.cols + 15) / 16 * 16 + kReduceFloats);
  launch(stream,
         {.name = "rms_norm",
          .grid_x = static_cast<unsigned>(args.rows),
          .threads = threads_of(args),
          .shared_bytes = floats * sizeof(float),
          .early = true},
         rms_norm_kernel, args, args.cols % 4 == 0);
}

std::int64_t rms_norm_bytes(const RmsNormArgs& args) {
  const std::int64_t values = static_cast<std::int64_t>(args.rows) * args.cols;
  const std::int64_t out = args.next.scale == nullptr ? 2 : 1;
  const std::int64_t sums = args.sums == nullptr ? 0 : 2 + 4 * args.parts;
  return values * (2 + out + sums) + std::int64_t{4} * args.cols;
}

}  // namespace assay::engine
