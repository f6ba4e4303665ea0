// What a checkpoint's quantization config says of each linear module: which tensors hold it, in
// which types and shapes, and how its input is rounded. The config is untrusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model_config.h"
#include "engine/safetensors.h"
#include "engine/settings.h"

namespace assay::engine {

/// How the codes of a stored matrix lie in its tensors.
enum class CodePacking : std::uint8_t {
  kBytes,    // `weight` [N, K]: F8_E4M3 or I8
  kWords,    // compressed-tensors `weight_packed` I32 [N, K / (32 / bits)], shifted to unsigned
  kGptq,     // `qweight` I32 [K / 8, N]: eight inputs a word
  kAwq,      // `qweight` I32 [K, N / 8]: eight outputs a word, interleaved
  kNibbles,  // U8 [N, K / 2]: E2M1, the even input in the lower half
};

/// One module as the checkpoint stores it.
struct StoredScheme {
  CodePacking packing = CodePacking::kBytes;
  MatrixFormat format;            // stored = true; group 0: one scale a row or tensor
  int bits = 8;                   // of kWords
  std::int64_t block_rows = 0;    // rows that share a block's scales
  bool symmetric = true;          // no zero points (kWords, kAwq)
  bool zero_plus_one = false;     // GPTQ's first format stores zero points less one
  std::string weight = "weight";  // suffixes of tensor names
  std::string scale = "weight_scale";
  std::string global_scale;          // NVFP4: of the tensor; "" without
  bool global_is_divisor = false;    // compressed-tensors: value = code x scale / global
  std::string input_scale;           // static activations; "" without
  std::vector<std::string> ignored;  // tensors that may stand beside it and change nothing
};

/// A tensor that a module must or may have.
struct StoredTensor {
  std::string name;
  std::vector<DType> types;
  std::vector<std::vector<std::int64_t>> shapes;  // any of these
  bool required = true;
};

class QuantConfig {
 public:
  /// Of a config without quantization: nothing is stored quantized.
  QuantConfig() = default;
  /// `source` names the file for errors. Throws: Error(kInput) naming the key and the reason for
  /// what is not understood.
  QuantConfig(const ModelConfig& config, std::string source);

  /// Nothing for modules that are not quantized. `module` as "model.layers.0.mlp.up_proj".
  [[nodiscard]] std::optional<StoredScheme> scheme_of(const std::string& module) const;
  [[nodiscard]] bool active() const { return !groups_.empty(); }
  /// The config says that keys and values are FP8 with static scales.
  [[nodiscard]] bool kv_scheme() const { return kv_scheme_; }

  struct Group {
    std::vector<std::string> targets;  // "Linear", module names, "re:..."
    StoredScheme scheme;
  };

 private:
  friend class QuantConfigParser;
  std::string source_;
  std::vector<Group> groups_;
  std::vector<std::string> ignore_;  // names, "re:...", or with `*`
  bool kv_scheme_ = false;
};

/// Tensors of a stored module of `rows` x `cols`.
std::vector<StoredTensor> stored_tensors(const StoredScheme& scheme, const std::string& module,
                                         std::int64_t rows, std::int64_t cols);

}  // namespace assay::engine
