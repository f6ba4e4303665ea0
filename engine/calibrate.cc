#include "engine/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "engine/cpu_executor.h"
#include "engine/ops/number.h"
#include "engine/step_watch.h"
#include "engine/text_pass.h"

namespace assay::engine {

void MagnitudeHistogram::add(float value) {
  ++count_;
  const float magnitude = std::fabs(value);
  if (!std::isfinite(magnitude)) {
    ++not_finite_;
    return;
  }
  largest_ = std::max(largest_, magnitude);
  if (magnitude < std::ldexp(1.0F, kLeastExponent)) {
    ++zeros_;
    return;
  }
  const double place = (std::log2(magnitude) - kLeastExponent) * kBinsPerOctave;
  const auto bin = std::min(static_cast<std::size_t>(place), bins_.size() - 1);
  ++bins_[bin];
}

void MagnitudeHistogram::merge(const MagnitudeHistogram& other) {
  for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] += other.bins_[i];
  zeros_ += other.zeros_;
  count_ += other.count_;
  not_finite_ += other.not_finite_;
  largest_ = std::max(largest_, other.largest_);
}

float MagnitudeHistogram::center(std::size_t bin) {
  return static_cast<float>(
      std::exp2((static_cast<double>(bin) + 0.5) / kBinsPerOctave + kLeastExponent));
}

float MagnitudeHistogram::quantile(double p) const {
  const double wanted = p * static_cast<double>(count_);
  auto below = static_cast<double>(zeros_);
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    below += static_cast<double>(bins_[i]);
    if (bins_[i] > 0 && below >= wanted) return std::min(center(i), largest_);
  }
  return largest_;
}

double MagnitudeHistogram::share_above(float limit) const {
  if (count_ == 0) return 0;
  std::int64_t above = 0;
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    if (center(i) > limit * 1.012F) above += bins_[i];
  }
  return static_cast<double>(above) / static_cast<double>(count_);
}

MagnitudeHistogram::Error MagnitudeHistogram::e4m3_error(float scale) const {
  Error out;
  // Three places in a bin, so that one that lies on a code is not taken for exact.
  constexpr double kPlaces[] = {-0.33, 0, 0.33};
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    if (bins_[i] == 0) continue;
    for (const double place : kPlaces) {
      const auto value = static_cast<float>(center(i) * std::exp2(place / kBinsPerOctave));
      const float rounded = e4m3_to_float(float_to_e4m3(value / scale)) * scale;
      const double error = static_cast<double>(value) - rounded;
      out.noise += static_cast<double>(bins_[i]) * error * error / 3;
      out.signal += static_cast<double>(bins_[i]) * static_cast<double>(value) * value / 3;
    }
  }
  return out;
}

CalibrationMethod find_calibration_method(std::string_view name) {
  if (name == "max") return CalibrationMethod::kMax;
  if (name == "percentile") return CalibrationMethod::kPercentile;
  if (name == "mse") return CalibrationMethod::kMse;
  throw_input("unknown calibration method \"{}\"; known: max, percentile, mse", escaped(name));
}

namespace {

/// Histograms of everything that a static scale could be for.
class Collector : public ForwardObserver {
 public:
  explicit Collector(const ModelConfig& config)
      : config_(config), keys_(cells()), values_(cells()) {}

  void on_input(std::int64_t layer, const char* module, const bf16* input, std::int64_t rows,
                const PackedMatrix& next) override {
    MagnitudeHistogram& into = inputs_[fmt::format("model.layers.{}.{}", layer, module)];
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t i = 0; i < next.inputs(); ++i) {
        const std::int64_t k = i / next.shard_used * next.shard_k + i % next.shard_used;
        into.add(bf16_to_float(input[row * next.padded_inputs() + k]));
      }
    }
  }

  void on_keys_values(std::int64_t layer, const bf16* keys, const bf16* values, std::int64_t rows,
                      std::int64_t ld) override {
    const std::int64_t d = config_.head_dim;
    for (std::int64_t head = 0; head < config_.kv_heads; ++head) {
      const auto cell = static_cast<std::size_t>(layer * config_.kv_heads + head);
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t i = 0; i < d; ++i) {
          const std::int64_t at = row * ld + head * d + i;
          keys_[cell].add(bf16_to_float(keys[at]));
          values_[cell].add(bf16_to_float(values[at]));
        }
      }
    }
  }

  const std::map<std::string, MagnitudeHistogram>& inputs() const { return inputs_; }
  /// Of one head, or (-1) of a layer.
  MagnitudeHistogram kv(bool value, std::int64_t layer, std::int64_t head) const {
    const std::vector<MagnitudeHistogram>& from = value ? values_ : keys_;
    MagnitudeHistogram out;
    for (std::int64_t h = 0; h < config_.kv_heads; ++h) {
      if (head < 0 || h == head) {
        out.merge(from[static_cast<std::size_t>(layer * config_.kv_heads + h)]);
      }
    }
    return out;
  }

 private:
  std::size_t cells() const { return static_cast<std::size_t>(config_.layers * config_.kv_heads); }
  const ModelConfig& config_;
  std::map<std::string, MagnitudeHistogram> inputs_;  // by the first module that reads it
  std::vector<MagnitudeHistogram> keys_;              // [layers, Hkv]
  std::vector<MagnitudeHistogram> values_;
};

float choose_scale(const MagnitudeHistogram& from, const CalibrateOptions& options) {
  const float whole = e4m3_scale(from.largest());
  if (options.method == CalibrationMethod::kMax) return whole;
  if (options.method == CalibrationMethod::kPercentile) {
    return e4m3_scale(from.quantile(options.percentile));
  }
  // From a sixteenth of the range to all of it; the largest of equals.
  constexpr int kSteps = 64;
  float best = whole;
  double least = from.e4m3_error(whole).noise;
  for (int i = 1; i <= kSteps; ++i) {
    const float scale =
        e4m3_scale(from.largest() * static_cast<float>(std::exp2(-4.0 * i / kSteps)));
    const double noise = from.e4m3_error(scale).noise;
    if (noise < least) {
      least = noise;
      best = scale;
    }
  }
  return best;
}

CalibratedScale describe(std::string name, const MagnitudeHistogram& from,
                         const CalibrateOptions& options) {
  if (from.not_finite() > 0) {
    throw_input("calibration: {} values of {} are not finite", from.not_finite(), name);
  }
  CalibratedScale out;
  out.name = std::move(name);
  out.scale = choose_scale(from, options);
  out.amax = from.largest();
  out.clipped = from.share_above(kE4m3Max * out.scale);
  const MagnitudeHistogram::Error error = from.e4m3_error(out.scale);
  out.snr_db = error.noise > 0 ? 10 * std::log10(error.signal / error.noise) : 0;
  return out;
}

void add_kv(const ModelConfig& config, const Collector& collector, const CalibrateOptions& options,
            Calibration& out) {
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    KvScales scales;
    for (const bool value : {false, true}) {
      std::vector<float>& to = value ? scales.value : scales.key;
      const std::string name = fmt::format("layers.{}.{}", layer, value ? "values" : "keys");
      for (std::int64_t head = 0; head < config.kv_heads; ++head) {
        if (!options.kv_per_head && head > 0) {
          to.push_back(to.front());
          continue;
        }
        const std::int64_t which = options.kv_per_head ? head : -1;
        out.report.push_back(describe(options.kv_per_head ? fmt::format("{}.{}", name, head) : name,
                                      collector.kv(value, layer, which), options));
        to.push_back(out.report.back().scale);
      }
    }
    out.kv.push_back(std::move(scales));
  }
}

}  // namespace

Calibration calibrate(const ModelConfig& config, const WeightSource& source,
                      std::span<const TokenId> ids, const CalibrateOptions& options) {
  if (ids.empty()) throw_input("calibration: the text has no tokens");
  Collector collector(config);
  const std::int64_t window = std::min(options.window, config.max_position);
  const PrecisionSetting setting = find_setting("bf16");
  WatchedExecutor executor(
      std::make_unique<CpuExecutor>(config, source,
                                    CpuExecutorOptions{.setting = &setting,
                                                       .kv = KvType::kBf16,
                                                       .observer = &collector,
                                                       .threads = options.threads,
                                                       .context = window,
                                                       .pages = window_pages(window),
                                                       .max_rows = window}),
      watch_options());
  for_windows(ids, window, false,
              [&](const Batch& batch, std::size_t) { executor.run(batch, {}); });
  Calibration out;
  out.tokens = static_cast<std::int64_t>(ids.size());
  for (const auto& [module, histogram] : collector.inputs()) {
    constexpr std::string_view kModel = "model.";
    out.report.push_back(describe(module.substr(kModel.size()), histogram, options));
    out.inputs[module] = out.report.back().scale;
    const std::string prefix = module.substr(0, module.rfind('.') + 1);
    if (module.ends_with("q_proj")) {
      out.inputs[prefix + "k_proj"] = out.inputs[prefix + "v_proj"] = out.report.back().scale;
    } else if (module.ends_with("gate_proj")) {
      out.inputs[prefix + "up_proj"] = out.report.back().scale;
    }
  }
  add_kv(config, collector, options, out);
  return out;
}

float CalibratedWeights::input_scale(const std::string& module) const {
  const auto found = calibration_.inputs.find(module);
  return found == calibration_.inputs.end() ? base_.input_scale(module) : found->second;
}

KvScales CalibratedWeights::kv_scales(std::int64_t layer) const {
  return calibration_.kv[static_cast<std::size_t>(layer)];
}

KvScales KvScaleChoice::kv_scales(std::int64_t layer) const {
  if (kind_ == Kind::kNone) return {};
  KvScales scales = base_.kv_scales(layer);
  for (std::vector<float>* of : {&scales.key, &scales.value}) {
    if (!of->empty()) of->assign(of->size(), *std::max_element(of->begin(), of->end()));
  }
  return scales;
}

}  // namespace assay::engine
