// What is known of a model before its weights are in memory: configuration, tokenizer, and where
// weights and their static scales come from. Shared by the local generator, `assay quantize` and
// numeric comparison.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/calibrate.h"
#include "engine/checkpoint.h"
#include "engine/generator.h"
#include "engine/model.h"
#include "engine/tokenizer_load.h"

namespace assay::engine {

struct OpenedModel {
  std::string name;
  ModelConfig config;
  std::optional<Checkpoint> checkpoint;  // nothing for random weights
  LoadedTokenizer tokenizer;
};

/// A folder or "dummy:NAME". Throws: Error(kInput).
OpenedModel open_model(const std::string& model);

/// The setting to use: "" is "checkpoint" for a quantized checkpoint, else fp8.
/// Throws: Error(kInput) for an unknown name or an override that matches nothing.
PrecisionSetting chosen_setting(const OpenedModel& opened, const std::string& precision);

/// Weights with the static scales that setting and cache ask for.
class ModelWeights {
 public:
  /// Reads `options.calibrate` and runs it through the model where scales are wanted that the
  /// checkpoint has not. Throws: Error(kInput) where there are none and no text is given.
  /// `opened`, with its tokenizer, must outlive it.
  ModelWeights(const OpenedModel& opened, const EngineOptions& options,
               const PrecisionSetting& setting, int threads);

  [[nodiscard]] const WeightSource& source() const { return *sources_.back(); }
  /// Part of the arithmetic's id: "" or what the scales were made from.
  [[nodiscard]] const std::string& id() const { return id_; }
  /// "none", "dynamic", "checkpoint" or "calibrated".
  [[nodiscard]] const std::string& kv_scales() const { return kv_scales_; }

 private:
  std::vector<std::unique_ptr<WeightSource>> sources_;  // each on top of the one before
  std::unique_ptr<Calibration> calibration_;
  std::string id_;
  std::string kv_scales_ = "none";
};

/// The ids of a text without special tokens but BOS, at most `most`.
std::vector<TokenId> text_ids(const ModelConfig& config, const Tokenizer& tokenizer,
                              const std::string& text, std::size_t most);

}  // namespace assay::engine
