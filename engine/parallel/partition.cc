#include "engine/parallel/partition.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "engine/ops/cpu_kernels.h"
#include "engine/ops/memory.h"

namespace assay::engine {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

Range part(std::int64_t total, int size, int rank) {
  return {total * rank / size, total * (rank + 1) / size};
}

Range times(const Range& range, std::int64_t factor) {
  return {range.begin * factor, range.end * factor};
}

/// Part `rank` of `total` inputs that are summed in eighths.
Range eighths(std::int64_t total, int size, int rank) {
  const std::int64_t one = divide_up(total, kShards);
  return {one * kShards * rank / size, one * kShards * (rank + 1) / size};
}

}  // namespace

Partition make_partition(const ModelConfig& config, int size, int rank, RowSums sums) {
  if (size < 1 || kShards % size != 0) {
    throw_input("--tp {}: a model is cut into 1, 2, 4 or 8 ranks", size);
  }
  if (config.heads % size != 0) {
    throw_input("--tp {}: {} query heads cannot be cut into {} equal parts", size, config.heads,
                size);
  }
  if (size > 1 && config.q_width() % kShards != 0) {
    throw_input("--tp {}: the attention output of {} values cannot be cut into eighths", size,
                config.q_width());
  }
  if (size < config.kv_heads && config.kv_heads % size != 0) {
    throw_input("--tp {}: {} KV heads cannot be cut into {} equal parts", size, config.kv_heads,
                size);
  }
  if (size > config.kv_heads && size % config.kv_heads != 0) {
    throw_input("--tp {}: {} KV heads cannot each be on equally many ranks", size,
                config.kv_heads);
  }
  ASSAY_CHECK(rank >= 0 && rank < size, "a rank of its group");
  Partition out;
  out.rank = rank;
  out.size = size;
  out.heads = part(config.heads, size, rank);
  // The KV heads that the rank's query heads look at: query head j uses KV head j / (H / Hkv).
  const std::int64_t group = config.heads / config.kv_heads;
  out.kv_heads = {out.heads.begin / group, divide_up(out.heads.end, group)};
  out.features = eighths(config.intermediate, size, rank);
  const std::int64_t rows = divide_up(config.vocab, size);
  out.vocab = {std::min(config.vocab, rows * rank), std::min(config.vocab, rows * (rank + 1))};
  out.shards = sums == RowSums::kEighths ? kShards / size : 1;
  return out;
}

WeightSlice weight_slice(const ModelConfig& config, const Partition& p, WeightKind kind) {
  const std::int64_t d = config.head_dim;
  const Range hidden{0, config.hidden};
  switch (kind) {
    case WeightKind::kQ:
      return {times(p.heads, d), hidden, 1};
    case WeightKind::kK:
    case WeightKind::kV:
      return {times(p.kv_heads, d), hidden, 1};
    case WeightKind::kO:
      return {hidden, eighths(config.q_width(), p.size, p.rank), p.shards};
    case WeightKind::kGate:
    case WeightKind::kUp:
      return {p.features, hidden, 1};
    case WeightKind::kDown:
      return {hidden, p.features, p.shards};
    case WeightKind::kEmbedding:
    case WeightKind::kLmHead:
      return {p.vocab, hidden, 1};
  }
  return {};
}

ModelConfig rank_shape(const ModelConfig& config, const Partition& p) {
  ModelConfig out = config;
  out.heads = p.heads.size();
  out.kv_heads = p.kv_heads.size();
  out.intermediate = p.features.size();
  out.vocab = divide_up(config.vocab, p.size);
  return out;
}

}  // namespace assay::engine
