// Attention on tensor cores with mma.sync: BF16 queries and numerators, keys and values BF16 or
// E4M3 turned into BF16, FP32 sums.
//
// A tile of 16 rows holds (token, query head) pairs of one KV head. Scores are Q K^T with keys as
// the 8-column operand; the accumulators of two such products are the A operand of P V. One
// function computes a chunk for decoding and for prompts, so their bits are the same. Keys are read
// four consecutive values at a time: k is permuted inside an instruction, alike for Q and K.
// Source of the idea: Dao 2023, FlashAttention-2; the fixed chunks are this engine's own.
#include "base/check.h"
#include "engine/cuda/attention_chunk.cuh"
#include "engine/cuda/launch.cuh"
#include "engine/ops/paged_attention.h"

namespace assay::engine {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kRows = 16;  // of a tensor-core tile

// ---- one row a sequence: a block reads a span
// ----------------------------------------------------

template <int kDim, bool kFp8>
struct DecodeShared {
  using H = Head<kDim, kFp8>;
  static constexpr int kStageBytes = 2 * H::kTileBytes;  // keys and values, for each warp
  static constexpr int kOut = kWarps * kStageBytes;      // float [8 chunks, group, d]
  static constexpr int bytes(int group) {
    return kOut + kSpanChunks * group * (kDim + 4) * static_cast<int>(sizeof(float));
  }
};

/// Grid: tiles x KV heads x spans. Block: 4 warps; a warp computes chunks w and w + 4 of the span,
/// then the block folds the chunks in ascending order. Dynamic shared memory: DecodeShared.
template <int kDim, bool kFp8>
__global__ void __launch_bounds__(kThreads, 2)
    decode_kernel(const PagedAttentionArgs args, float scale) {
  wait_for_inputs();
  let_next_start();
  using H = Head<kDim, kFp8>;
  using S = DecodeShared<kDim, kFp8>;
  const AttentionTile tile = args.tiles[blockIdx.x];
  const int kv_head = static_cast<int>(blockIdx.y);
  const int span = static_cast<int>(blockIdx.z);
  const int position = tile.first_position;
  if (span * kSpanTokens > position) return;
  const int group = args.heads / args.cache.kv_heads;
  const int left = position / kChunk + 1 - span * kSpanChunks;
  const int chunks = left < kSpanChunks ? left : kSpanChunks;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  std::byte* keys = shared_memory() + warp * S::kStageBytes;
  std::byte* values = keys + H::kTileBytes;
  float* out = reinterpret_cast<float*>(shared_memory() + S::kOut);
  float* states = out + kSpanChunks * group * kDim;  // [8 chunks, group, 2]
  float* factors = states + kSpanChunks * group * 2;
  const int* pages = args.rows.page_table +
                     static_cast<std::int64_t>(tile.sequence) * args.rows.table_ld +
                     span * kSpanChunks;
  const bf16* q = args.q + static_cast<std::int64_t>(tile.first_row) * args.ldq +
                  static_cast<std::int64_t>(kv_head) * group * kDim;
  Head<kDim, kFp8> head;
  const int row = lane / 4;
  head.queries[0] = row < group ? q + row * kDim : nullptr;
  head.queries[1] = row + 8 < group ? q + (row + 8) * kDim : nullptr;
  const auto chunk_at = [&](int c) { return Chunk{pages[c], (span * kSpanChunks + c) * kChunk}; };
  const auto valid_of = [&](int c) {
    const int seen = position + 1 - (span * kSpanChunks + c) * kChunk;
    return seen < kChunk ? seen : kChunk;
  };
  const auto fetch_side = [&](int c, int which) {
    if (c < chunks) {
      fetch<kDim, kFp8>(args, chunk_at(c), kv_head, which, valid_of(c), which == 0 ? keys : values,
                        lane, 32);
    }
    copy_async_commit();
  };
  fetch_side(warp, 0);
  fetch_side(warp, 1);
  for (int c = warp; c < chunks; c += kWarps) {
    copy_async_wait<1>();
    __syncwarp();
    unsigned p[kKeyTiles][2];
    float max[2];
    float sum[2];
    const int seen = valid_of(c);
    chunk_scores<kDim, kFp8>(args, head, keys, args.cache.scale_at(pages[c], kv_head, 0),
                             {seen, seen}, scale, p, max, sum);
    __syncwarp();
    fetch_side(c + kWarps, 0);
    copy_async_wait<1>();
    __syncwarp();
    float o[H::kTiles][4];
    chunk_values<kDim, kFp8>(values, p, o);
    __syncwarp();
    fetch_side(c + kWarps, 1);
    for (int r = 0; r < 2; ++r) {
      const int g = row + 8 * r;
      if (g >= group) continue;
      for (int n = 0; n < H::kTiles; ++n) {
        for (int i = 0; i < 2; ++i) {
          out[(c * group + g) * kDim + H::dimension(n, i)] = o[n][2 * r + i];
        }
      }
      if (lane % 4 == 0) {
        states[(c * group + g) * 2] = max[r];
        states[(c * group + g) * 2 + 1] = sum[r];
      }
    }
  }
  __syncthreads();
  if (thread < group) {
    float max = states[thread * 2];
    float sum = states[thread * 2 + 1];
    for (int c = 1; c < chunks; ++c) {
      const float* fresh = states + (c * group + thread) * 2;
      float* factor = factors + (c * group + thread) * 2;
      fold_state(max, sum, fresh[0], fresh[1], factor[0], factor[1]);
    }
    states[thread * 2] = max;
    states[thread * 2 + 1] = sum;
  }
  __syncthreads();
  const bool alone = position < kSpanTokens;
  for (int i = thread; i < group * kDim; i += kThreads) {
    const int g = i / kDim;
    float value = out[i];
    for (int c = 1; c < chunks; ++c) {
      const float* factor = factors + (c * group + g) * 2;
      value = fold_value(value, factor[0], out[c * group * kDim + i], factor[1]);
    }
    const int query = kv_head * group + g;
    if (alone) {
      args.out[static_cast<std::int64_t>(tile.first_row) * args.ldo + query * kDim + i % kDim] =
          to_bf16(__fdiv_rn(value, states[g * 2 + 1]));
    } else {
      float* partial =
          args.partials +
          (static_cast<std::int64_t>(tile.first_span + span) * args.heads + query) * (kDim + 2);
      partial[i % kDim] = value;
      if (i % kDim < 2) partial[kDim + i % kDim] = states[g * 2 + i % kDim];
    }
  }
}

/// Grid: tiles x query heads. Block: d threads, a dimension each. Folds spans in ascending order.
__global__ void combine_kernel(const PagedAttentionArgs args) {
  wait_for_inputs();
  let_next_start();
  const AttentionTile tile = args.tiles[blockIdx.x];
  if (tile.first_position < kSpanTokens) return;
  const int query = static_cast<int>(blockIdx.y);
  const int d = args.cache.head_dim;
  const int i = static_cast<int>(threadIdx.x);
  const int spans = tile.first_position / kSpanTokens + 1;
  const float* partial =
      args.partials + (static_cast<std::int64_t>(tile.first_span) * args.heads + query) * (d + 2);
  const std::int64_t step = static_cast<std::int64_t>(args.heads) * (d + 2);
  float value = partial[i];
  float max = partial[d];
  float sum = partial[d + 1];
  for (int s = 1; s < spans; ++s) {
    const float* fresh = partial + s * step;
    float a = 0.0F;
    float b = 0.0F;
    fold_state(max, sum, fresh[d], fresh[d + 1], a, b);
    value = fold_value(value, a, fresh[i], b);
  }
  args.out[static_cast<std::int64_t>(tile.first_row) * args.ldo + query * d + i] =
      to_bf16(__fdiv_rn(value, sum));
}

// ---- prompts: a block reads all keys of its tile's rows
// ------------------------------------------

template <int kDim, bool kFp8>
struct PromptShared {
  using H = Head<kDim, false>;                                     // what is multiplied
  static constexpr int kTileBytes = Head<kDim, kFp8>::kTileBytes;  // as copied
  static constexpr int kSideBytes = 2 * kTileBytes;  // keys and values of one chunk
  static constexpr int kWide = 2 * kSideBytes;       // FP8: the chunk as BF16 values
  static constexpr int kTotals = kWide + (kFp8 ? 2 * H::kTileBytes : 0);
  static constexpr int kFloat = static_cast<int>(sizeof(float));
  // kTotals: float [4 warps, d / 8, 4, 32 lanes]; kStates: float [2 rows, max and sum, threads].
  static constexpr int kStates = kTotals + kWarps * H::kTiles * 4 * 32 * kFloat;
  static constexpr int kBytes = kStates + 4 * kThreads * kFloat;
};

/// Turns codes of keys (or values) in shared memory into BF16 values, which is exact: four warps
/// that read the same tile convert it once.
template <int kDim>
__device__ __forceinline__ void widen(const std::byte* codes, std::byte* to, int thread,
                                      int threads) {
  constexpr int kPieces = kDim / 8;
#pragma unroll 2
  for (int i = thread; i < kChunk * kPieces; i += threads) {
    const int token = i / kPieces;
    const int piece = i % kPieces;
    const uint2 from =
        *reinterpret_cast<const uint2*>(codes + token * Head<kDim, true>::kStride + piece * 8);
    *reinterpret_cast<uint4*>(to + token * Head<kDim, false>::kStride + piece * 16) =
        uint4{e4m3x2_to_bf16x2(from.x & 0xFFFFU), e4m3x2_to_bf16x2(from.x >> 16),
              e4m3x2_to_bf16x2(from.y & 0xFFFFU), e4m3x2_to_bf16x2(from.y >> 16)};
  }
}

/// The results of a span join those of the spans before it; a thread's part stays in its place.
template <int kTiles>
__device__ __forceinline__ void fold_span(const State<kTiles>& span, float* totals, float* states,
                                          const bool (&seen)[2], bool first) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  float a[2] = {1.0F, 1.0F};
  float b[2] = {0.0F, 0.0F};
  for (int r = 0; r < 2; ++r) {
    float max = span.max[r];
    float sum = span.sum[r];
    if (!first) {
      if (!seen[r]) continue;
      max = states[2 * r * kThreads];
      sum = states[(2 * r + 1) * kThreads];
      fold_state(max, sum, span.max[r], span.sum[r], a[r], b[r]);
    }
    states[2 * r * kThreads] = max;
    states[(2 * r + 1) * kThreads] = sum;
  }
  for (int n = 0; n < kTiles; ++n) {
    for (int i = 0; i < 4; ++i) {
      float* total = totals + (n * 4 + i) * 32 + lane;
      if (first) {
        *total = span.out[n][i];
      } else if (seen[i / 2]) {
        *total = fold_value(*total, a[i / 2], span.out[n][i], b[i / 2]);
      }
    }
  }
}

/// Grid: tiles x KV heads. Block: 4 warps, 16 rows (token, head) each. Dynamic shared memory: two
/// chunks of keys and values, for FP8 one of them as BF16 values, and the sums of earlier spans.
template <int kDim, bool kFp8>
__global__ void __launch_bounds__(kThreads, 2)
    prompt_kernel(const PagedAttentionArgs args, float scale) {
  wait_for_inputs();
  let_next_start();
  using S = PromptShared<kDim, kFp8>;
  using H = typename S::H;
  const AttentionTile tile = args.tiles[args.decode_tiles + static_cast<int>(blockIdx.x)];
  const int kv_head = static_cast<int>(blockIdx.y);
  const int group = args.heads / args.cache.kv_heads;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / 32;
  const int lane = thread % 32;
  const int* pages =
      args.rows.page_table + static_cast<std::int64_t>(tile.sequence) * args.rows.table_ld;
  const int last = tile.first_position + tile.rows - 1;
  const int chunks = last / kChunk + 1;
  // Rows of this lane: row = token * group + head.
  int positions[2];
  const bf16* queries[2] = {nullptr, nullptr};
  for (int r = 0; r < 2; ++r) {
    const int row = warp * kRows + lane / 4 + 8 * r;
    const int token = row / group;
    positions[r] = tile.first_position + (token < tile.rows ? token : 0);
    if (token >= tile.rows) continue;
    const std::int64_t at = tile.first_row + token;
    queries[r] = args.q + at * args.ldq + (kv_head * group + row % group) * kDim;
  }
  H head;
  head.queries[0] = queries[0];
  head.queries[1] = queries[1];
  const auto fetch_chunk = [&](int c) {
    if (c < chunks) {
      std::byte* side = shared_memory() + c % 2 * S::kSideBytes;
      const int seen = last + 1 - c * kChunk;
      const int valid = seen < kChunk ? seen : kChunk;
      const Chunk chunk{pages[c], c * kChunk};
      fetch<kDim, kFp8>(args, chunk, kv_head, 0, valid, side, thread, kThreads);
      fetch<kDim, kFp8>(args, chunk, kv_head, 1, valid, side + S::kTileBytes, thread, kThreads);
    }
    copy_async_commit();
  };
  float* totals = reinterpret_cast<float*>(shared_memory() + S::kTotals) + warp * H::kTiles * 128;
  float* states = reinterpret_cast<float*>(shared_memory() + S::kStates) + thread;
  State<H::kTiles> state{};
  fetch_chunk(0);
  for (int c = 0; c < chunks; ++c) {
    __syncthreads();
    fetch_chunk(c + 1);
    copy_async_wait<1>();
    __syncthreads();
    const std::byte* keys = shared_memory() + c % 2 * S::kSideBytes;
    const std::byte* values = keys + S::kTileBytes;
    if constexpr (kFp8) {
      std::byte* wide = shared_memory() + S::kWide;
      widen<kDim>(keys, wide, thread, kThreads);
      widen<kDim>(values, wide + H::kTileBytes, thread, kThreads);
      __syncthreads();
      keys = wide;
      values = wide + H::kTileBytes;
    }
    int valid[2];
    for (int r = 0; r < 2; ++r) {
      const int seen = positions[r] + 1 - c * kChunk;
      valid[r] = seen < 0 ? 0 : seen < kChunk ? seen : kChunk;
    }
    unsigned p[kKeyTiles][2];
    float max[2];
    float sum[2];
    chunk_scores<kDim, false, kFp8>(args, head, keys, args.cache.scale_at(pages[c], kv_head, 0),
                                    valid, scale, p, max, sum);
    float o[H::kTiles][4];
    chunk_values<kDim, false>(values, p, o);
    const bool opens = c % kSpanChunks == 0;
    float a[2] = {1.0F, 1.0F};
    float b[2] = {0.0F, 0.0F};
    for (int r = 0; r < 2; ++r) {
      if (opens) {
        state.max[r] = max[r];
        state.sum[r] = sum[r];
      } else if (valid[r] > 0) {
        fold_state(state.max[r], state.sum[r], max[r], sum[r], a[r], b[r]);
      }
    }
    for (int n = 0; n < H::kTiles; ++n) {
      for (int i = 0; i < 4; ++i) {
        if (opens) {
          state.out[n][i] = o[n][i];
        } else if (valid[i / 2] > 0) {
          state.out[n][i] = fold_value(state.out[n][i], a[i / 2], o[n][i], b[i / 2]);
        }
      }
    }
    if (c % kSpanChunks == kSpanChunks - 1 || c == chunks - 1) {
      const int first = c / kSpanChunks * kSpanTokens;
      fold_span(state, totals, states, {positions[0] >= first, positions[1] >= first},
                c < kSpanChunks);
    }
  }
  for (int r = 0; r < 2; ++r) {
    const int row = warp * kRows + lane / 4 + 8 * r;
    if (row / group >= tile.rows) continue;
    bf16* out = args.out + static_cast<std::int64_t>(tile.first_row + row / group) * args.ldo +
                (kv_head * group + row % group) * kDim;
    const float sum = states[(2 * r + 1) * kThreads];
    for (int n = 0; n < H::kTiles; ++n) {
      for (int i = 2 * r; i < 2 * r + 2; ++i) {
        out[H::dimension(n, i)] = to_bf16(__fdiv_rn(totals[(n * 4 + i) * 32 + lane], sum));
      }
    }
  }
}

template <int kDim, bool kFp8>
void start(CudaStream stream, const PagedAttentionArgs& args) {
  const float scale = attention_scale(kDim);
  const auto kv_heads = static_cast<unsigned>(args.cache.kv_heads);
  if (args.decode_tiles > 0) {
    const int group = args.heads / args.cache.kv_heads;
    launch(stream,
           {.name = "attention_decode",
            .grid_x = static_cast<unsigned>(args.decode_tiles),
            .grid_y = kv_heads,
            .grid_z = static_cast<unsigned>(args.most_spans),
            .threads = kThreads,
            .shared_bytes = static_cast<std::size_t>(DecodeShared<kDim, kFp8>::bytes(group)),
            .early = true},
           decode_kernel<kDim, kFp8>, args, scale);
    if (args.most_spans > 1) {
      launch(stream,
             {.name = "attention_combine",
              .grid_x = static_cast<unsigned>(args.decode_tiles),
              .grid_y = static_cast<unsigned>(args.heads),
              .threads = kDim,
              .early = true},
             combine_kernel, args);
    }
  }
  if (args.prompt_tiles > 0) {
    launch(stream,
           {.name = "attention_prompt",
            .grid_x = static_cast<unsigned>(args.prompt_tiles),
            .grid_y = kv_heads,
            .threads = kThreads,
            .shared_bytes = PromptShared<kDim, kFp8>::kBytes,
            .early = true},
           prompt_kernel<kDim, kFp8>, args, scale);
  }
}

}  // namespace

void attention_tensor_cuda(CudaStream stream, const PagedAttentionArgs& args) {
  ASSAY_CHECK(attention_tensor_fits(args.heads, args.cache.kv_heads, args.cache.head_dim),
              "heads of tensor-core attention");
  const bool fp8 = args.cache.scales != nullptr;
  if (args.cache.head_dim == 64) {
    fp8 ? start<64, true>(stream, args) : start<64, false>(stream, args);
  } else {
    fp8 ? start<128, true>(stream, args) : start<128, false>(stream, args);
  }
}

}  // namespace assay::engine
