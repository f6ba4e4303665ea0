// Attention of a ragged batch over paged keys and values, on a device.
//
// Definition, for every step layout (as on the CPU, engine/ops/attention.h): a page of 64
// positions, counted from 0, is a chunk with its maximum, the sum of its numerators rounded to BF16
// and its weighted sum of values. Chunks are folded in ascending order; the first one is taken as
// it is. Scores are multiplied by the key's scale, then by log2(e) / sqrt(d); numerators by the
// value's scale after they were summed.
//
// kExact folds all chunks one after another and sums products in the CPU's order: the CPU's bits.
// kTensor sums 16 products at a time on tensor cores and folds in two levels: eight chunks (512
// positions) to a span, then spans, so that a long sequence can be read by many blocks.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"
#include "engine/ops/device_cache.h"

namespace assay::engine {

enum class AttentionKind : std::uint8_t { kExact, kTensor };

/// Chunks of a span.
constexpr int kSpanChunks = 8;
constexpr int kSpanTokens = kSpanChunks * static_cast<int>(kPageTokens);

/// Query tokens of one sequence that one block handles together, in device memory.
struct AttentionTile {
  int first_row = 0;  // in the batch
  int rows = 0;
  int sequence = 0;  // line of the page table
  int first_position = 0;
  int first_span = 0;  // of a tile of one row: its place among the partial results
};

/// Device memory, 16-byte aligned.
struct PagedAttentionArgs {
  const bf16* q = nullptr;  // [rows, ldq]: H * d values a row, after rotation
  int ldq = 0;
  bf16* out = nullptr;  // [rows, ldo]: H * d values a row
  int ldo = 0;
  int heads = 0;
  DeviceRows rows;
  DeviceCache cache;
  // kTensor only: tiles of one row, then tiles of several; together they cover all rows.
  const AttentionTile* tiles = nullptr;
  int decode_tiles = 0;
  int prompt_tiles = 0;
  int most_spans = 1;  // spans of the longest sequence
  // Results of spans that wait to be folded, when most_spans > 1: for each span of a tile of one
  // row, and each query head, its weighted sums, its maximum and its sum: [spans, H, d + 2].
  float* partials = nullptr;
};

/// 1 / sqrt(d) in base 2, as the CPU computes it.
float attention_scale(int head_dim);

void attention_exact_cuda(CudaStream stream, const PagedAttentionArgs& args);
/// REQUIRES: head_dim 64 or 128, at most 16 query heads a KV head.
void attention_tensor_cuda(CudaStream stream, const PagedAttentionArgs& args);
bool attention_tensor_fits(int heads, int kv_heads, int head_dim);
/// Bytes of keys and values that must be read for one row at `position`.
std::int64_t attention_row_bytes(const DeviceCache& cache, std::int64_t position);

}  // namespace assay::engine
