// The weights of a Llama model in memory, every tensor with its shape, on one page: those of one
// tensor-parallel rank (engine/parallel/partition.h). h hidden; of the rank: H query heads, Hkv
// key/value heads, i features, V rows of the vocabulary, S eighths of row-parallel inputs (8 for
// one rank); d head size.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/model_config.h"
#include "engine/ops/gemm.h"
#include "engine/parallel/partition.h"
#include "engine/settings.h"
#include "engine/weight_codes.h"

namespace assay::engine {

struct LayerWeights {
  std::vector<float> attention_norm;  // [h]
  std::vector<PackedMatrix> qkv;      // [(H + 2 Hkv) d, h]: q rows, then k, then v, as one matrix
                                      // or, where their formats differ, as three
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
  std::vector<bf16> embedding;  // [V, h]; empty: rows of lm_head, when tied and BF16
  std::vector<LayerWeights> layers;
  std::vector<float> final_norm;  // [h]
  PackedMatrix lm_head;           // [V, h]
  std::vector<float> rope_cos;    // [context, d / 2]
  std::vector<float> rope_sin;

  [[nodiscard]] std::int64_t weight_bytes() const;
  /// Columns of a row that the products of `qkv` write, one behind the other.
  [[nodiscard]] std::int64_t qkv_width() const;
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
  /// The module's weight as a checkpoint stores it quantized; null: it is BF16, F16 or F32 there.
  [[nodiscard]] virtual const CodeSource* codes(const std::string& /*module*/) const {
    return nullptr;
  }
  /// Scale of the module's input for static activations; 0: none is known.
  [[nodiscard]] virtual float input_scale(const std::string& /*module*/) const { return 0; }
  [[nodiscard]] virtual KvScales kv_scales(std::int64_t /*layer*/) const { return {}; }
};

/// Names of all linear modules, as "model.layers.0.self_attn.q_proj", then "lm_head".
std::vector<std::string> linear_modules(const ModelConfig& config);
/// The source's scales of keys and values for KV heads [begin, end), of each layer; nothing when it
/// has none.
std::vector<KvScales> static_kv_scales(const ModelConfig& config, const WeightSource& source,
                                       const Range& heads);
/// What the setting makes of one module. Throws: Error(kInput) when it needs an input scale that
/// the source has not.
MatrixFormat resolve_format(const PrecisionSetting& setting, const WeightSource& source,
                            const std::string& module);
/// Parts of one input whose products can be one product; each has scales of its own.
bool fuses(const MatrixFormat& a, const MatrixFormat& b);
/// Weights whose scale of the whole tensor is made together with that of `module`, with their rows:
/// q, k and v, gate and up, where their formats fuse.
std::vector<std::pair<std::string, std::int64_t>> scaled_together(const ModelConfig& config,
                                                                  const PrecisionSetting& setting,
                                                                  const WeightSource& source,
                                                                  const std::string& module);
/// Throws: Error(kInput) for an override that matches no module.
void check_overrides(const PrecisionSetting& setting, const ModelConfig& config);

/// Quantizes on the fly, row by row, with scales of the whole rows (and tensors), so that every
/// rank's codes are those of the uncut model. `context` is the longest sequence the rope table
/// serves.
Model load_model(const ModelConfig& config, const Partition& partition, const WeightSource& source,
                 const PrecisionSetting& setting, std::int64_t context, int threads);

/// Bytes that `load_model` will need for all `ranks` ranks together, before anything is read.
std::int64_t estimate_weight_bytes(const ModelConfig& config, const WeightSource& source,
                                   const PrecisionSetting& setting, int ranks,
                                   RowSums sums = RowSums::kEighths);

}  // namespace assay::engine
