// Causal attention of new tokens over paged keys and values, grouped queries.
//
// Definition (docs/engine.md): pages are chunks of 64 absolute positions. A row's chunk gives a
// maximum, a sum of BF16-rounded numerators and a weighted sum of values, each from a fresh state;
// chunks are folded in ascending order; a single chunk is taken as it is. So a row's bits depend on
// its own position and cache alone.
#pragma once

#include <cstdint>
#include <span>

#include "engine/batch.h"
#include "engine/kv_cache.h"
#include "engine/ops/gemm.h"

namespace assay::engine {

struct AttentionArgs {
  const bf16* q = nullptr;  // [rows, ld]: H * d values a row, after rotation
  std::int64_t ld = 0;
  bf16* out = nullptr;  // [rows, ldo]: H * d values a row, the rest is not written
  std::int64_t ldo = 0;
  std::int64_t layer = 0;
  std::span<const SequenceRows> sequences;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
};

/// Query tokens that one task handles together.
inline constexpr std::int64_t kQueryTile = 16;

/// The plain softmax of the definition's inputs in double precision, to `out` [rows, H * d];
/// `args.out` is not written. attention_cpu differs by what it rounds: numerators to BF16 (2^-9 of
/// each) and the result to BF16.
void attention_ref(const KvCache& cache, const AttentionArgs& args, double* out);
/// Bytes of keys and values that must be read at least.
std::int64_t attention_bytes(const KvCache& cache, const AttentionArgs& args);
/// Multiplications and additions of both products.
std::int64_t attention_flops(const AttentionArgs& args);

/// Floats of scratch that a thread needs.
std::int64_t attention_scratch_floats(std::int64_t group, std::int64_t head_dim);

/// On the context's threads; a task is a tile of query tokens and a KV head.
void attention_cpu(CpuContext& context, const KvCache& cache, const AttentionArgs& args);

}  // namespace assay::engine
