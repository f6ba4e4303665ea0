#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/rms_norm.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;

/// ((0+1)+(2+3))+((4+5)+(6+7)) of one column's parts, each times its factor.
__device__ __forceinline__ float fold_parts(const RmsNormArgs& args, std::int64_t row, int col) {
  const std::int64_t stride = static_cast<std::int64_t>(args.sum_rows) * args.cols;
  const float* at = args.sums + row * args.cols + col;
  float part[8];
  for (int p = 0; p < 8; ++p) {
    if (p >= args.parts) break;
    part[p] = at[p * stride];
    if (args.part_scale != nullptr) {
      part[p] = __fmul_rn(part[p], args.part_scale[row * args.parts + p]);
    }
  }
  for (int width = args.parts; width > 1; width /= 2) {
    for (int p = 0; p < 4; ++p) {
      if (p < width / 2) part[p] = __fadd_rn(part[2 * p], part[2 * p + 1]);
    }
  }
  return part[0];
}

/// Grid: rows. Block: 256 threads, one row. Dynamic shared memory: the row in FP32 and 34 floats.
/// The sum of squares is 16 interleaved serial sums, as on the CPU: 512 additions for 8192 columns,
/// about one microsecond, which a tree would save and which buys equal bits.
__global__ void __launch_bounds__(kThreads) rms_norm_kernel(const RmsNormArgs args) {
  float* y = reinterpret_cast<float*>(shared_memory());
  const int padded = (args.cols + 15) / 16 * 16;
  float* reduce = y + padded;
  const std::int64_t row = blockIdx.x;
  const std::int64_t from = args.row_of == nullptr ? row : args.row_of[row];
  bf16* x = args.x + from * args.cols;
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < padded; i += kThreads) {
    float value = i < args.cols ? from_bf16(x[i]) : 0.0F;
    if (args.sums != nullptr && i < args.cols) {
      float delta = fold_parts(args, from, i);
      if (args.sum_scale != nullptr) delta = __fmul_rn(delta, args.sum_scale[i]);
      if (args.bias != nullptr) delta = __fadd_rn(delta, args.bias[i]);
      const bf16 sum = to_bf16(__fadd_rn(value, from_bf16(to_bf16(delta))));
      x[i] = sum;
      value = from_bf16(sum);
    }
    y[i] = value;
  }
  __syncthreads();
  if (thread < 32) {
    float squares = 0.0F;
    for (int i = thread % 16; i < padded; i += 16) {
      squares = __fadd_rn(squares, __fmul_rn(y[i], y[i]));
    }
    const float mean = __fdiv_rn(sum_16_lanes(squares), static_cast<float>(args.cols));
    if (thread == 0) reduce[33] = __fdiv_rn(1.0F, __fsqrt_rn(__fadd_rn(mean, args.eps)));
  }
  __syncthreads();
  const float inverse = reduce[33];
  for (int i = thread; i < args.cols; i += kThreads) {
    float value = __fmul_rn(y[i], inverse);
    // As the original model does it in BF16; FP8 quantizes the FP32 value.
    if (args.next.scale == nullptr) value = from_bf16(to_bf16(value));
    y[i] = __fmul_rn(value, args.weight[i]);
  }
  __syncthreads();
  store_next_input(args.next, row, 0, y, reduce);
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
          .threads = kThreads,
          .shared_bytes = floats * sizeof(float)},
         rms_norm_kernel, args);
}

std::int64_t rms_norm_bytes(const RmsNormArgs& args) {
  const std::int64_t values = static_cast<std::int64_t>(args.rows) * args.cols;
  const std::int64_t out = args.next.scale == nullptr ? 2 : 1;
  const std::int64_t sums = args.sums == nullptr ? 0 : 2 + 4 * args.parts;
  return values * (2 + out + sums) + std::int64_t{4} * args.cols;
}

}  // namespace assay::engine
