// What a checkpoint says about its model: config.json and generation_config.json of the Llama
// family, read strictly. A field that would change results and is not supported is an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/request.h"

namespace assay::engine {

enum class RopeKind { kDefault, kLinear, kLlama3 };

/// Rotary position embedding; see engine/rope.h for the frequencies.
struct RopeConfig {
  RopeKind kind = RopeKind::kDefault;
  double theta = 10000;                  // base, > 1
  double factor = 1;                     // kLinear, kLlama3: context extension, >= 1
  double low_freq_factor = 1;            // kLlama3
  double high_freq_factor = 4;           // kLlama3, > low_freq_factor
  std::int64_t original_context = 8192;  // kLlama3: context before the extension, tokens

  friend bool operator==(const RopeConfig&, const RopeConfig&) = default;
};

/// How the weights are stored. Everything but kNone is recognised and refused at load for now.
enum class QuantFormat {
  kNone,
  kCompressedTensors,
  kFp8,
  kFbgemmFp8,
  kModelOpt,
  kGptq,
  kAwq,
  kOther
};

/// Producer's name as in `quant_method`, "none" for kNone, "unknown" for kOther.
std::string_view quant_format_name(QuantFormat format);

struct ModelConfig {
  std::int64_t hidden = 0;        // h
  std::int64_t layers = 0;        // L
  std::int64_t heads = 0;         // H, query heads
  std::int64_t kv_heads = 0;      // divides `heads`
  std::int64_t head_dim = 0;      // d, even; heads * head_dim need not equal hidden
  std::int64_t intermediate = 0;  // i, width of the feed-forward layer
  std::int64_t vocab = 0;         // V, rows of the embedding
  double rms_eps = 1e-5;
  RopeConfig rope;
  std::int64_t max_position = 0;  // longest sequence, tokens
  bool tied = false;              // the embedding is the output matrix
  bool attention_bias = false;    // q, k, v and o have biases
  bool mlp_bias = false;          // gate, up and down have biases
  std::optional<TokenId> bos;
  std::vector<TokenId> stop_ids;  // generation_config's, else config's; empty: the tokenizer's EOS
  QuantFormat quant_format = QuantFormat::kNone;
  Json quantization;  // `quantization_config` as it stood, null when absent

  [[nodiscard]] std::int64_t q_width() const { return heads * head_dim; }
  [[nodiscard]] std::int64_t kv_width() const { return kv_heads * head_dim; }
  /// Weights and biases of the whole model; the tied matrix counts once.
  [[nodiscard]] std::int64_t parameter_count() const;

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// A tensor that a model of a given configuration has.
struct TensorSpec {
  std::string name;                 // as in Hugging Face checkpoints
  std::vector<std::int64_t> shape;  // matrices are [out_features, in_features]
};

/// Every tensor that `config` implies, in the order of the forward pass.
std::vector<TensorSpec> expected_tensors(const ModelConfig& config);

/// Parses config.json; `generation_config` is the text of generation_config.json or empty.
/// `source` names the folder in errors.
/// Throws: Error(kInput) with file, line, column and key.
ModelConfig parse_model_config(std::string_view config, std::string_view generation_config,
                               const std::string& source);

/// Reads config.json and, where present, generation_config.json and hf_quant_config.json.
ModelConfig load_model_config(const std::filesystem::path& folder);

}  // namespace assay::engine
