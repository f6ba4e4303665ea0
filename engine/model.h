// The weights of a Llama model in memory, every tensor with its shape, on one page: those of one
// tensor-parallel rank (engine/parallel/partition.h). h hidden; of the rank: H query heads, Hkv
// key/value heads, i features, V rows of the vocabulary, S eighths of row-parallel inputs (8 for
// one rank); d head size.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/model_config.h"
#include "engine/ops/gemm.h"
#include "engine/parallel/partition.h"
#include "engine/settings.h"

namespace assay::engine {

struct LayerWeights {
  std::vector<float> attention_norm;  // [h]
  PackedMatrix qkv;                   // [(H + 2 Hkv) d, h]: q rows, then k, then v
  PackedMatrix o;                     // [h, H d], S shards of K
  std::vector<float> mlp_norm;        // [h]
  PackedMatrix gate;                  // [i, h]
  PackedMatrix up;                    // [i, h]
  PackedMatrix down;                  // [h, i], S shards of K
};

/// Immutable once loaded; any number of threads may read it.
struct Model {
  ModelConfig config;  // of the whole model
  Partition partition;
  PrecisionSetting setting;
  std::vector<bf16> embedding;  // [V, h]; empty when tied: then rows of lm_head
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  // [h]
  PackedMatrix lm_head;           // [V, h], BF16
  std::vector<float> rope_cos;    // [context, d / 2]
  std::vector<float> rope_sin;

  [[nodiscard]] std::int64_t weight_bytes() const;
};

/// Where rows of named tensors come from. Thread-safe.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  [[nodiscard]] virtual bool has(const std::string& name) const = 0;
  /// Row `row` of a matrix, or all of a vector (row 0), as FP32. REQUIRES: out has the row's
  /// length.
  virtual void read_row(const std::string& name, std::int64_t row, std::span<float> out) const = 0;
  /// What was read so far will hardly be read again: its memory may go.
  virtual void release() const {}
};

/// Quantizes on the fly, row by row, with scales of the whole rows (and tensors), so that every
/// rank's codes are those of the uncut model. `context` is the longest sequence the rope table
/// serves.
Model load_model(const ModelConfig& config, const Partition& partition, const WeightSource& source,
                 const PrecisionSetting& setting, std::int64_t context, int threads);

/// Bytes that `load_model` will need for all `ranks` ranks together, before anything is read.
std::int64_t estimate_weight_bytes(const ModelConfig& config, const PrecisionSetting& setting,
                                   int ranks);

}  // namespace assay::engine
