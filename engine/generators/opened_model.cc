#include "engine/generators/opened_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/prompt_encoder.h"
#include "engine/shapes.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr std::string_view kDummy = "dummy:";
constexpr std::size_t kMostCalibrationBytes = std::size_t{64} << 20;
constexpr std::size_t kMostCalibrationTokens = 16384;

/// Tokens for random weights: bytes, and a word for every other id.
class DummyTokenizer : public Tokenizer {
 public:
  explicit DummyTokenizer(std::int64_t vocab) : Tokenizer(make_table(vocab)) {}

 protected:
  void encode_plain(std::string_view text, std::vector<TokenId>& out) const override {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  }

 private:
  static TokenTable make_table(std::int64_t vocab) {
    TokenTable table;
    for (std::int64_t id = 0; id < vocab; ++id) {
      table.bytes.push_back(id < 256 ? std::string(1, static_cast<char>(id))
                                     : fmt::format(" {}", id));
    }
    return table;
  }
};

/// Whether a static scale is wanted that the source has not.
bool lacks_input_scales(const PrecisionSetting& setting, const WeightSource& source,
                        const ModelConfig& config) {
  if (!setting.needs_input_scales()) return false;
  const std::vector<std::string> modules = linear_modules(config);
  return std::any_of(modules.begin(), modules.end(), [&](const std::string& module) {
    return setting_of_module(setting, module) == "fp8-static" && !(source.input_scale(module) > 0);
  });
}

}  // namespace

OpenedModel open_model(const std::string& model) {
  OpenedModel out;
  if (model.starts_with(kDummy)) {
    out.name = model;
    out.config = known_shape(std::string_view(model).substr(kDummy.size()));
    out.tokenizer.tokenizer = std::make_unique<DummyTokenizer>(out.config.vocab);
    out.tokenizer.digest = sha256_hex(model);
    return out;
  }
  const std::filesystem::path folder = model;
  out.checkpoint.emplace(Checkpoint::open(folder));
  out.config = out.checkpoint->config();
  out.tokenizer = load_tokenizer(folder);
  check_tokenizer_fits(out.config, out.tokenizer);
  out.name = std::filesystem::absolute(folder).lexically_normal().filename().string();
  if (out.name.empty()) {
    out.name = std::filesystem::absolute(folder).lexically_normal().parent_path().filename();
  }
  return out;
}

PrecisionSetting chosen_setting(const OpenedModel& opened, const std::string& precision) {
  const bool quantized = opened.checkpoint && opened.checkpoint->quantization().active();
  PrecisionSetting setting =
      find_setting(precision.empty() && quantized ? "checkpoint" : precision);
  check_overrides(setting, opened.config);
  return setting;
}

std::vector<TokenId> text_ids(const ModelConfig& config, const Tokenizer& tokenizer,
                              const std::string& text, std::size_t most) {
  std::vector<TokenId> ids;
  if (config.bos) ids.push_back(*config.bos);
  const std::vector<TokenId> more = tokenizer.encode(text, false);
  ids.insert(ids.end(), more.begin(), more.end());
  if (ids.size() > most) ids.resize(most);
  return ids;
}

ModelWeights::ModelWeights(const OpenedModel& opened, const EngineOptions& options,
                           const PrecisionSetting& setting, int threads) {
  if (opened.checkpoint) {
    sources_.push_back(std::make_unique<CheckpointWeights>(*opened.checkpoint));
  } else {
    sources_.push_back(std::make_unique<DummyWeights>());
  }
  const bool fp8_cache = find_kv_type(options.kv) == KvType::kFp8;
  const bool static_kv = options.kv == "fp8-tensor" || options.kv == "fp8-head";
  const bool stored_kv = !source().kv_scales(0).key.empty();
  const bool lacks_inputs = lacks_input_scales(setting, source(), opened.config);
  if (fp8_cache) kv_scales_ = stored_kv ? "checkpoint" : "dynamic";
  if (lacks_inputs || (static_kv && !stored_kv)) {
    if (options.calibrate.empty()) {
      throw_input(
          "{}{}: static scales are wanted that the model has not: give --calibrate FILE with "
          "a text to take them from, or take a checkpoint that has them",
          setting.name, static_kv ? ", KV cache " + options.kv : "");
    }
    const std::string text = read_file(options.calibrate, kMostCalibrationBytes);
    calibration_ = std::make_unique<Calibration>(calibrate(
        opened.config, source(),
        text_ids(opened.config, *opened.tokenizer.tokenizer, text, kMostCalibrationTokens),
        {.kv_per_head = options.kv == "fp8-head", .threads = threads}));
    id_ = "+calibrated-" + sha256_hex(text).substr(0, 8);
    sources_.push_back(std::make_unique<CalibratedWeights>(source(), *calibration_));
    if (static_kv) kv_scales_ = "calibrated";
    // A dynamic cache stays dynamic.
    if (!static_kv) {
      sources_.push_back(std::make_unique<KvScaleChoice>(source(), KvScaleChoice::Kind::kNone));
      if (fp8_cache) kv_scales_ = "dynamic";
    }
  }
  if (options.kv == "fp8-tensor") {
    sources_.push_back(std::make_unique<KvScaleChoice>(source(), KvScaleChoice::Kind::kLargest));
  }
}

}  // namespace assay::engine
