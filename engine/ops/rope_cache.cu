#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/rope_cache.h"

namespace assay::engine {
namespace {

constexpr int kWarps = 4;
constexpr int kMostPairs = 4;  // a lane holds up to 4 of the 128 pairs of head_dim 256

/// Scale of values whose magnitudes lie in the lanes of a warp.
__device__ __forceinline__ float warp_scale(const float (&values)[2 * kMostPairs]) {
  float top = 0.0F;
  bool bad = false;
  for (const float value : values) {
    bad = bad || value != value;
    top = fmaxf(top, fabsf(value));
  }
  for (int lanes = 16; lanes >= 1; lanes /= 2) {
    top = fmaxf(top, __shfl_xor_sync(kAllLanes, top, lanes));
  }
  if (__ballot_sync(kAllLanes, bad) != 0) top = __uint_as_float(0x7FC00000U);
  return scale_of(top);
}

/// Writes a head of keys or values: pair p of the lane holds elements j and j + half.
__device__ __forceinline__ void store_head(const RopeCacheArgs& args, std::int64_t row, int head,
                                           int which, const float (&values)[2 * kMostPairs]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int half = args.cache.head_dim / 2;
  const int position = args.rows.positions[row];
  const std::int64_t line = args.rows.sequence[row];
  const int place = position % static_cast<int>(kPageTokens);
  const std::int64_t page =
      args.rows.page_table[line * args.rows.table_ld + position / static_cast<int>(kPageTokens)];
  const std::int64_t at =
      args.cache.tile(page, head, which) + static_cast<std::int64_t>(place) * args.cache.head_dim;
  if (args.cache.scales == nullptr) {
    bf16* out = static_cast<bf16*>(args.cache.data) + at;
    for (int p = 0; p < kMostPairs; ++p) {
      const int j = lane + 32 * p;
      if (j >= half) break;
      out[j] = to_bf16(values[2 * p]);
      out[j + half] = to_bf16(values[2 * p + 1]);
    }
    return;
  }
  float scale = warp_scale(values);
  // A scale that is not finite stays: saturation would hide what made it.
  if (args.cache.static_scales != nullptr && scale < 3.0e38F) {
    scale = args.cache.static_scales[2 * head + which];
  }
  const float inverse = __fdiv_rn(1.0F, scale);
  e4m3* out = static_cast<e4m3*>(args.cache.data) + at;
  for (int p = 0; p < kMostPairs; ++p) {
    const int j = lane + 32 * p;
    if (j >= half) break;
    out[j] = to_e4m3(__fmul_rn(values[2 * p], inverse));
    out[j + half] = to_e4m3(__fmul_rn(values[2 * p + 1], inverse));
  }
  if (lane == 0) args.cache.scales[args.cache.scale_at(page, head, which) + place] = scale;
}

/// Grid: rows x heads / 4. Block: 4 warps, a warp one head of one row; a lane holds pairs
/// (j, j + head_dim / 2), j = lane, lane + 32, ...
__global__ void __launch_bounds__(kWarps * 32) rope_cache_kernel(const RopeCacheArgs args) {
  wait_for_inputs();
  let_next_start();
  const std::int64_t row = blockIdx.x;
  const int head = static_cast<int>(blockIdx.y) * kWarps + static_cast<int>(threadIdx.x / 32);
  const int kv_heads = args.cache.kv_heads;
  if (head >= args.heads + 2 * kv_heads) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int half = args.cache.head_dim / 2;
  bf16* x = args.qkv + row * args.ld + static_cast<std::int64_t>(head) * args.cache.head_dim;
  const bool rotates = head < args.heads + kv_heads;
  const std::int64_t angle = static_cast<std::int64_t>(args.rows.positions[row]) * half;
  float values[2 * kMostPairs] = {};
  for (int p = 0; p < kMostPairs; ++p) {
    const int j = lane + 32 * p;
    if (j >= half) break;
    float first = from_bf16(x[j]);
    float second = from_bf16(x[j + half]);
    if (rotates) {
      const float c = args.cos[angle + j];
      const float s = args.sin[angle + j];
      const float turned = __fadd_rn(__fmul_rn(first, c), -__fmul_rn(second, s));
      second = from_bf16(to_bf16(__fadd_rn(__fmul_rn(second, c), __fmul_rn(first, s))));
      first = from_bf16(to_bf16(turned));
    }
    values[2 * p] = first;
    values[2 * p + 1] = second;
    if (head < args.heads) {
      x[j] = to_bf16(first);
      x[j + half] = to_bf16(second);
    }
  }
  if (head >= args.heads + kv_heads) {
    store_head(args, row, head - args.heads - kv_heads, 1, values);
  } else if (head >= args.heads) {
    store_head(args, row, head - args.heads, 0, values);
  }
}

}  // namespace

void rope_cache_cuda(CudaStream stream, const RopeCacheArgs& args) {
  ASSAY_CHECK(args.cache.head_dim % 2 == 0 && args.cache.head_dim <= 64 * kMostPairs,
              "size of a head");
  if (args.rows.rows == 0) return;
  const int heads = args.heads + 2 * args.cache.kv_heads;
  launch(stream,
         {.name = "rope_cache",
          .grid_x = static_cast<unsigned>(args.rows.rows),
          .grid_y = static_cast<unsigned>((heads + kWarps - 1) / kWarps),
          .threads = kWarps * 32,
          .early = true},
         rope_cache_kernel, args);
}

}  // namespace assay::engine
