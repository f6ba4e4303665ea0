// One chunk of attention on tensor cores, for one warp: what decoding and prompts share, so that
// their bits are the same (engine/ops/attention_tensor.cu).
#pragma once

#include "engine/cuda/mma.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/paged_attention.h"

namespace assay::engine {

constexpr int kChunk = static_cast<int>(kPageTokens);
constexpr int kKeyTiles = kChunk / 8;
constexpr int kPad = 16;  // bytes behind a token: the lanes of a warp read different banks

template <int kDim, bool kFp8>
struct Head {
  static constexpr int kBytes = kFp8 ? 1 : 2;
  static constexpr int kSteps = kDim / 16;  // instructions of Q K^T
  static constexpr int kTiles = kDim / 8;   // 8-column tiles of the output
  static constexpr int kStride = kDim * kBytes + kPad;
  static constexpr int kTileBytes = kChunk * kStride;  // keys or values of a chunk
  const bf16* queries[2];  // of rows lane / 4 and lane / 4 + 8; null: zeros
  /// Dimension of accumulator `i` of output tile `tile`.
  static __device__ __forceinline__ int dimension(int tile, int i) {
    const int t = static_cast<int>(threadIdx.x % 4);
    return kFp8 ? tile / 2 * 16 + 4 * t + 2 * (i % 2) + tile % 2 : tile * 8 + 2 * t + i % 2;
  }
};

/// What a row has seen so far, for rows lane / 4 and lane / 4 + 8 of a tile.
template <int kTiles>
struct State {
  float out[kTiles][4];
  float max[2];
  float sum[2];
};

/// Where a chunk's keys and values are.
struct Chunk {
  std::int64_t page;
  int first;  // position of its first key
};

/// Starts the copies of keys (0) or values (1) of a chunk; keys that nobody sees become zero, so
/// that what an earlier sequence left there cannot count, not even as 0 * NaN.
template <int kDim, bool kFp8>
__device__ __forceinline__ void fetch(const PagedAttentionArgs& args, const Chunk& chunk,
                                      int kv_head, int which, int valid, std::byte* to, int thread,
                                      int threads) {
  using H = Head<kDim, kFp8>;
  constexpr int kPieces = kDim * H::kBytes / 16;
  const std::byte* from = static_cast<const std::byte*>(args.cache.data) +
                          args.cache.tile(chunk.page, kv_head, which) * H::kBytes;
  for (int i = thread; i < kChunk * kPieces; i += threads) {
    const int token = i / kPieces;
    copy_async_16(to + token * H::kStride + i % kPieces * 16, from + i * 16, token < valid);
  }
}

/// The A operand of step `k` of Q K^T. Read again for each chunk: kept in registers, the queries of
/// 128 dimensions would make the prompt kernel spill.
template <int kDim, bool kFp8>
__device__ __forceinline__ void load_queries(const Head<kDim, kFp8>& head, int k,
                                             unsigned (&a)[4]) {
  const int t = static_cast<int>(threadIdx.x % 4);
  for (int r = 0; r < 2; ++r) {
    uint2 quad{0, 0};
    if (head.queries[r] != nullptr) {
      quad = *reinterpret_cast<const uint2*>(head.queries[r] + 16 * k + 4 * t);
    }
    a[r] = quad.x;
    a[r + 2] = quad.y;
  }
}

/// Largest and sum over the 64 columns of a row, whose values lie in four lanes. The sum's order is
/// the CPU's: 16 lanes, each ascending, then halves.
__device__ __forceinline__ float row_max(const float (&s)[kKeyTiles][4], int r) {
  float top = s[0][2 * r];
  for (int j = 0; j < kKeyTiles; ++j) top = fmaxf(top, fmaxf(s[j][2 * r], s[j][2 * r + 1]));
  top = fmaxf(top, __shfl_xor_sync(kAllLanes, top, 1));
  return fmaxf(top, __shfl_xor_sync(kAllLanes, top, 2));
}
__device__ __forceinline__ float row_sum(const float (&p)[kKeyTiles][4], int r) {
  float half[2];
  for (int i = 0; i < 2; ++i) {
    float lane[2];
    for (int h = 0; h < 2; ++h) {
      lane[h] = p[h][2 * r + i];
      for (int j = 2; j < kKeyTiles; j += 2) lane[h] = __fadd_rn(lane[h], p[j + h][2 * r + i]);
    }
    half[i] = __fadd_rn(lane[0], lane[1]);
    half[i] = __fadd_rn(half[i], __shfl_xor_sync(kAllLanes, half[i], 2));
    half[i] = __fadd_rn(half[i], __shfl_xor_sync(kAllLanes, half[i], 1));
  }
  return __fadd_rn(half[0], half[1]);
}

/// Turns scores into numerators, BF16 as the A operand of P V. `valid[r]`: keys that a row sees.
template <bool kScaled>
__device__ __forceinline__ void softmax(const PagedAttentionArgs& args, std::int64_t scales,
                                        const int (&valid)[2], float scale,
                                        float (&s)[kKeyTiles][4], unsigned (&p)[kKeyTiles][2],
                                        float (&max)[2], float (&sum)[2]) {
  const int t = static_cast<int>(threadIdx.x % 4);
  const float kNothing = __uint_as_float(0xFF800000U);
  for (int j = 0; j < kKeyTiles; ++j) {
    for (int i = 0; i < 4; ++i) {
      const int key = 8 * j + 2 * t + i % 2;
      float value = s[j][i];
      if constexpr (kScaled) {
        value = __fmul_rn(value, key < valid[i / 2] ? args.cache.scales[scales + key] : 0.0F);
      }
      s[j][i] = key < valid[i / 2] ? __fmul_rn(value, scale) : kNothing;
    }
  }
  for (int r = 0; r < 2; ++r) {
    max[r] = row_max(s, r);
    const float shift = valid[r] > 0 ? max[r] : 0.0F;
    for (int j = 0; j < kKeyTiles; ++j) {
      for (int i = 2 * r; i < 2 * r + 2; ++i) {
        s[j][i] = from_bf16(to_bf16(exp2_approximate(__fadd_rn(s[j][i], -shift))));
      }
    }
    sum[r] = row_sum(s, r);
  }
  for (int j = 0; j < kKeyTiles; ++j) {
    if constexpr (kScaled) {
      for (int i = 0; i < 4; ++i) {
        const int key = 8 * j + 2 * t + i % 2;
        const float factor = key < valid[i / 2] ? args.cache.scales[scales + kChunk + key] : 0.0F;
        s[j][i] = __fmul_rn(s[j][i], factor);
      }
    }
    p[j][0] = to_bf16x2(s[j][0], s[j][1]);
    p[j][1] = to_bf16x2(s[j][2], s[j][3]);
  }
}

/// Four consecutive values of a key as two registers.
template <bool kFp8>
__device__ __forceinline__ void load_quad(const std::byte* at, unsigned (&pair)[2]) {
  if constexpr (kFp8) {
    const unsigned codes = *reinterpret_cast<const unsigned*>(at);
    pair[0] = e4m3x2_to_bf16x2(codes & 0xFFFFU);
    pair[1] = e4m3x2_to_bf16x2(codes >> 16);
  } else {
    const uint2 both = *reinterpret_cast<const uint2*>(at);
    pair[0] = both.x;
    pair[1] = both.y;
  }
}

/// out += P V for 16 tokens of the chunk, from token `first`.
template <int kDim, bool kFp8>
__device__ __forceinline__ void add_values(const std::byte* values, int first,
                                           const unsigned (&a)[4], float (&out)[kDim / 8][4]) {
  using H = Head<kDim, kFp8>;
  const int lane = static_cast<int>(threadIdx.x % 32);
  // Lanes 0-15 address 16 tokens of one 16-byte column, lanes 16-31 of the next.
  const std::byte* row = values + (first + lane % 16) * H::kStride + lane / 16 * 16;
#pragma unroll
  for (int bytes = 0; bytes < kDim * H::kBytes; bytes += 32) {
    unsigned v[4];
    load_matrices_transposed(v, row + bytes);
    if constexpr (kFp8) {
      // v[0], v[1]: tokens 0-7 and 8-15, two neighbouring dimensions a token; v[2], v[3] the next.
#pragma unroll
      for (int block = 0; block < 2; ++block) {
        const unsigned low = __byte_perm(v[2 * block], 0, 0x3120);
        const unsigned high = __byte_perm(v[2 * block + 1], 0, 0x3120);
        const int tile = (bytes / 16 + block) * 2;
        const unsigned even[2] = {e4m3x2_to_bf16x2(low & 0xFFFFU),
                                  e4m3x2_to_bf16x2(high & 0xFFFFU)};
        const unsigned odd[2] = {e4m3x2_to_bf16x2(low >> 16), e4m3x2_to_bf16x2(high >> 16)};
        mma_bf16(out[tile], a, even);
        mma_bf16(out[tile + 1], a, odd);
      }
    } else {
      const unsigned left[2] = {v[0], v[1]};
      const unsigned right[2] = {v[2], v[3]};
      mma_bf16(out[bytes / 16], a, left);
      mma_bf16(out[bytes / 16 + 1], a, right);
    }
  }
}

/// Scores and numerators of a chunk, from its keys in shared memory. kScaled: the cache has scales.
template <int kDim, bool kFp8, bool kScaled = kFp8>
__device__ __forceinline__ void chunk_scores(const PagedAttentionArgs& args,
                                             const Head<kDim, kFp8>& head, const std::byte* keys,
                                             std::int64_t scales, const int (&valid)[2],
                                             float scale, unsigned (&p)[kKeyTiles][2],
                                             float (&max)[2], float (&sum)[2]) {
  using H = Head<kDim, kFp8>;
  const int lane = static_cast<int>(threadIdx.x % 32);
  float s[kKeyTiles][4] = {};
  const std::byte* key = keys + lane / 4 * H::kStride + lane % 4 * 4 * H::kBytes;
#pragma unroll
  for (int k = 0; k < H::kSteps; ++k) {
    unsigned left[4];
    load_queries<kDim, kFp8>(head, k, left);
#pragma unroll
    for (int j = 0; j < kKeyTiles; ++j) {
      unsigned right[2];
      load_quad<kFp8>(key + 8 * j * H::kStride + 16 * k * H::kBytes, right);
      mma_bf16(s[j], left, right);
    }
  }
  softmax<kScaled>(args, scales, valid, scale, s, p, max, sum);
}

template <int kDim, bool kFp8>
__device__ __forceinline__ void chunk_values(const std::byte* values,
                                             const unsigned (&p)[kKeyTiles][2],
                                             float (&out)[kDim / 8][4]) {
  for (int n = 0; n < kDim / 8; ++n) {
    for (int i = 0; i < 4; ++i) out[n][i] = 0.0F;
  }
#pragma unroll
  for (int c = 0; c < kChunk / 16; ++c) {
    const unsigned a[4] = {p[2 * c][0], p[2 * c][1], p[2 * c + 1][0], p[2 * c + 1][1]};
    add_values<kDim, kFp8>(values, 16 * c, a, out);
  }
}

/// Factors with which (max, sum) takes in (fresh_max, fresh_sum), and the new state.
__device__ __forceinline__ void fold_state(float& max, float& sum, float fresh_max, float fresh_sum,
                                           float& a, float& b) {
  const float top = max > fresh_max ? max : fresh_max;
  a = exp2_exact(__fadd_rn(max, -top));
  b = exp2_exact(__fadd_rn(fresh_max, -top));
  sum = __fadd_rn(__fmul_rn(sum, a), __fmul_rn(fresh_sum, b));
  max = top;
}
__device__ __forceinline__ float fold_value(float old, float a, float fresh, float b) {
  return __fadd_rn(__fmul_rn(old, a), __fmul_rn(fresh, b));
}

}  // namespace assay::engine
