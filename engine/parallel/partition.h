// Which part of each weight a tensor-parallel rank holds. The one description that every loader
// and every executor uses.
//
// Column-parallel weights (q, k, v, gate, up, lm_head) are cut by outputs, row-parallel ones
// (o, down) by inputs; embedding and lm_head by vocabulary; norms are on every rank. When there are
// more ranks than KV heads, each KV head is on several ranks. Row-parallel inputs are cut in whole
// eighths of K (engine/ops/gemm.h). With kEighths a rank holds a subtree of the fixed sum and the
// bits do not depend on the number of ranks.
#pragma once

#include <cstdint>

#include "engine/model_config.h"

namespace assay::engine {

/// Half-open.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
  friend bool operator==(const Range&, const Range&) = default;
};

/// How o and down sum their inputs, and what shares a scale of FP8 or INT8 activations there.
enum class RowSums : std::uint8_t {
  kEighths,  // eighths of K as a fixed tree, a scale for each: equal bits for every number of ranks
  kRanks,    // a rank's inputs in one piece with one scale, then a tree over ranks
};

struct Partition {
  int rank = 0;
  int size = 1;             // ranks of the group: 1, 2, 4 or 8
  Range heads;              // query heads
  Range kv_heads;           // KV heads; shared with other ranks when size > Hkv
  Range features;           // of the feed-forward layer, in whole eighths: may end beyond i
  Range vocab;              // rows of the embedding and of lm_head
  std::int64_t shards = 8;  // parts of K in o and down: the rank's eighths, or 1
};

/// Throws: Error(kInput) when the model cannot be cut into so many parts, in one line.
Partition make_partition(const ModelConfig& config, int size, int rank,
                         RowSums sums = RowSums::kEighths);

enum class WeightKind { kQ, kK, kV, kO, kGate, kUp, kDown, kEmbedding, kLmHead };

/// Rows and columns of the whole tensor [outputs, inputs] that a rank holds; what lies beyond the
/// tensor is zero. `shards`: parts of the inputs that are summed apart.
struct WeightSlice {
  Range outputs;
  Range inputs;
  std::int64_t shards = 1;
};

WeightSlice weight_slice(const ModelConfig& config, const Partition& partition, WeightKind kind);

/// The model's configuration with the heads, features and rows of the vocabulary that a rank holds,
/// padding included: every rank has equally many features and rows of the vocabulary.
ModelConfig rank_shape(const ModelConfig& config, const Partition& partition);

}  // namespace assay::engine
