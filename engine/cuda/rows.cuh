// What the row kernels share: sums in the order of the CPU backend, and the quantizer's output.
// All functions are called by every thread of a block whose size is a multiple of 32.
#pragma once

#include "engine/cuda/device.cuh"
#include "engine/ops/next_input.h"

namespace assay::engine {

/// 2^x for x <= 127: nearest integer and a Taylor polynomial of degree 7, the same operations as
/// the CPU kernels' (engine/ops/cpu_kernel_bodies.h), so the same bits. 0 below -126; NaN stays.
__device__ __forceinline__ float exp2_exact(float x) {
  float clamped = -127.0F > x ? -127.0F : x;
  clamped = 127.0F < clamped ? 127.0F : clamped;
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: the addition rounds to an integer
  const float shifted = __fadd_rn(clamped, kMagic);
  const float r = __fadd_rn(clamped, -__fadd_rn(shifted, -kMagic));
  float y = 1.52527338e-5F;
  y = __fadd_rn(__fmul_rn(y, r), 1.54035304e-4F);
  y = __fadd_rn(__fmul_rn(y, r), 1.33335581e-3F);
  y = __fadd_rn(__fmul_rn(y, r), 9.61812911e-3F);
  y = __fadd_rn(__fmul_rn(y, r), 5.55041087e-2F);
  y = __fadd_rn(__fmul_rn(y, r), 2.40226507e-1F);
  y = __fadd_rn(__fmul_rn(y, r), 6.93147181e-1F);
  y = __fadd_rn(__fmul_rn(y, r), 1.0F);
  y = __uint_as_float(__float_as_uint(y) + (__float_as_uint(shifted) << 23));
  if (x < -126.0F) y = 0.0F;
  return __fadd_rn(y, __fadd_rn(clamped, -clamped));
}

/// Sum of 16 lanes in lane 0 of a warp: ((0 + 8) + (4 + 12)) + ... Lanes from 16 on are ignored.
__device__ __forceinline__ float sum_16_lanes(float value) {
  for (int half = 8; half >= 1; half /= 2) {
    value = __fadd_rn(value, __shfl_xor_sync(kAllLanes, value, half));
  }
  return value;
}

/// Floats of shared memory that `store_next_input` needs.
constexpr int kReduceFloats = 34;

/// The largest magnitude of y[0, count), NaN when one is not finite; the same in all threads.
__device__ __forceinline__ float block_amax(const float* y, int count, float* reduce) {
  float top = 0.0F;
  bool bad = false;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const unsigned magnitude = __float_as_uint(y[i]) & 0x7FFFFFFFU;
    bad = bad || magnitude >= 0x7F800000U;
    top = fmaxf(top, __uint_as_float(magnitude));
  }
  for (int lanes = 16; lanes >= 1; lanes /= 2) {
    top = fmaxf(top, __shfl_xor_sync(kAllLanes, top, lanes));
  }
  if (__ballot_sync(kAllLanes, bad) != 0) top = __uint_as_float(0x7FC00000U);
  __syncthreads();
  if (threadIdx.x % 32 == 0) reduce[threadIdx.x / 32] = top;
  __syncthreads();
  if (threadIdx.x == 0) {
    float all = 0.0F;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) {
      all = reduce[warp] > all || reduce[warp] != reduce[warp] ? reduce[warp] : all;
      if (all != all) break;
    }
    reduce[32] = all;
  }
  __syncthreads();
  return reduce[32];
}

/// amax / 448, at least 2^-40 so that its reciprocal is finite.
__device__ __forceinline__ float scale_of(float amax) {
  const float scale = __fdiv_rn(amax, kE4m3Max);
  return scale < 0x1p-40F ? 0x1p-40F : scale;
}

/// Value `i` of a shard's padded inputs.
__device__ __forceinline__ float padded_input(const NextInput& next, int shard, const float* y,
                                              int i) {
  if (next.pieces == nullptr) return i < next.shard_used ? y[i] : 0.0F;
  constexpr int kBlockK = static_cast<int>(kBlock);
  const InputPiece piece = next.pieces[shard * (next.shard_k / kBlockK) + i / kBlockK];
  const int from = piece.begin / kBlockK * kBlockK + i % kBlockK;
  return from >= piece.begin && from < piece.end ? y[from] : 0.0F;
}

/// The nearest integer in -127..127, ties to even.
__device__ __forceinline__ float round_int8(float value) {
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: the addition rounds to an integer
  value = value > kInt8Max ? kInt8Max : value;
  value = value < -kInt8Max ? -kInt8Max : value;
  return __fadd_rn(__fadd_rn(value, kMagic), -kMagic);
}

__device__ __forceinline__ float bounded_scale(const NextInput& next, float amax, float most) {
  if (next.amax_bound > 0.0F && amax > next.amax_bound) amax = next.amax_bound;
  const float scale = __fdiv_rn(amax, most);
  return scale < 0x1p-40F ? 0x1p-40F : scale;
}

/// A scale for each block of the padded inputs; a warp takes a block.
__device__ __forceinline__ void store_groups(const NextInput& next, std::int64_t row, int shard,
                                             const float* y) {
  constexpr int kBlockK = static_cast<int>(kBlock);
  const int blocks = next.shard_k / kBlockK;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const std::int64_t first = (row * next.shards + shard) * blocks;
  for (int b = static_cast<int>(threadIdx.x / 32); b < blocks;
       b += static_cast<int>(blockDim.x / 32)) {
    float v[4];
    float top = 0.0F;
    bool bad = false;
    for (int k = 0; k < 4; ++k) {
      v[k] = padded_input(next, shard, y, b * kBlockK + lane * 4 + k);
      const unsigned magnitude = __float_as_uint(v[k]) & 0x7FFFFFFFU;
      bad = bad || magnitude >= 0x7F800000U;
      top = fmaxf(top, __uint_as_float(magnitude));
    }
    for (int lanes = 16; lanes >= 1; lanes /= 2) {
      top = fmaxf(top, __shfl_xor_sync(kAllLanes, top, lanes));
    }
    if (__ballot_sync(kAllLanes, bad) != 0) top = __uint_as_float(0x7FC00000U);
    const float scale = bounded_scale(next, top, kE4m3Max);
    const float inverse = __fdiv_rn(1.0F, scale);
    if (lane == 0) next.scale[first + b] = scale;
    for (int k = 0; k < 4; ++k) v[k] = __fmul_rn(v[k], inverse);
    unsigned* out = reinterpret_cast<unsigned*>(static_cast<e4m3*>(next.out) +
                                                (first + b) * kBlockK + lane * 4);
    *out = to_e4m3x2(v[0], v[1]) | to_e4m3x2(v[2], v[3]) << 16;
  }
}

/// Writes shard `shard` of row `row`: y [shard_used] in shared memory, quantized when the next
/// product wants it; the padding up to shard_k becomes zero. Every value of y must be there
/// (__syncthreads before).
__device__ __forceinline__ void store_next_input(const NextInput& next, std::int64_t row, int shard,
                                                 const float* y, float* reduce) {
  const std::int64_t at = (row * next.shards + shard) * next.shard_k;
  const int step = static_cast<int>(blockDim.x) * 4;
  const bool plain = next.scale == nullptr;
  const bool int8 = !plain && is_int8(next.type);
  if (!plain && next.type == ActivationType::kE4m3Group) return store_groups(next, row, shard, y);
  float inverse = 1.0F;
  if (!plain) {
    const float amax = block_amax(y, next.shard_used, reduce);
    const bool fixed =
        next.type == ActivationType::kE4m3Static || next.type == ActivationType::kInt8Static;
    float scale = fixed ? next.static_scale : bounded_scale(next, amax, int8 ? kInt8Max : kE4m3Max);
    if (amax != amax) scale = amax;  // saturation would hide an infinity
    inverse = __fdiv_rn(1.0F, scale);
    if (threadIdx.x == 0) next.scale[row * next.shards + shard] = scale;
  }
  for (int i = static_cast<int>(threadIdx.x) * 4; i < next.shard_k; i += step) {
    float v[4];
    for (int k = 0; k < 4; ++k) {
      v[k] = padded_input(next, shard, y, i + k);
      if (!plain) v[k] = __fmul_rn(v[k], inverse);
      if (int8) v[k] = round_int8(v[k]);
    }
    if (plain || int8) {
      unsigned* out = reinterpret_cast<unsigned*>(static_cast<bf16*>(next.out) + at);
      out[i / 2] = to_bf16x2(v[0], v[1]);
      out[i / 2 + 1] = to_bf16x2(v[2], v[3]);
    } else {
      unsigned* out = reinterpret_cast<unsigned*>(static_cast<e4m3*>(next.out) + at);
      out[i / 4] = to_e4m3x2(v[0], v[1]) | to_e4m3x2(v[2], v[3]) << 16;
    }
  }
}

}  // namespace assay::engine
