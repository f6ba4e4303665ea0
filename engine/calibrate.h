// Static scales of activations, keys and values from a text: what the model's products read while
// it runs in BF16, as histograms, and the scale that a method takes from them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"
#include "engine/request.h"

namespace assay::engine {

/// Magnitudes by their logarithm: 32 bins an octave from 2^-30 to 2^18, so a bin is 2.2 % wide.
class MagnitudeHistogram {
 public:
  /// Not finite values are counted apart.
  void add(float value);
  void merge(const MagnitudeHistogram& other);
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t not_finite() const { return not_finite_; }
  [[nodiscard]] float largest() const { return largest_; }
  /// The least magnitude that at least the share `p` of the values does not exceed, to a bin.
  [[nodiscard]] float quantile(double p) const;
  /// Share of magnitudes above `limit`, to a bin.
  [[nodiscard]] double share_above(float limit) const;
  /// Mean square of E4M3 rounding errors under `scale`, and of the values, to a bin.
  struct Error {
    double noise = 0;
    double signal = 0;
  };
  [[nodiscard]] Error e4m3_error(float scale) const;

 private:
  static constexpr int kBinsPerOctave = 32;
  static constexpr int kLeastExponent = -30;
  static constexpr int kOctaves = 48;
  static float center(std::size_t bin);
  std::array<std::int64_t, kBinsPerOctave * kOctaves> bins_{};
  std::int64_t zeros_ = 0;  // and what is smaller than the first bin
  std::int64_t count_ = 0;
  std::int64_t not_finite_ = 0;
  float largest_ = 0;
};

enum class CalibrationMethod { kMax, kPercentile, kMse };
/// "max", "percentile" or "mse". Throws: Error(kInput).
CalibrationMethod find_calibration_method(std::string_view name);

struct CalibrateOptions {
  CalibrationMethod method = CalibrationMethod::kMax;
  double percentile = 0.9999;  // of kPercentile
  bool kv_per_head = false;
  std::int64_t window = 512;  // tokens of a sequence
  int threads = 1;
};

/// One calibrated scale and what it does to the values that it was made from.
struct CalibratedScale {
  std::string name;  // "layers.0.mlp.down_proj", "layers.0.keys", "layers.0.keys.1"
  float scale = 0;
  float amax = 0;
  double clipped = 0;  // share of values beyond 448 x scale
  double snr_db = 0;   // of the values rounded to E4M3, to a histogram's bin
};

struct Calibration {
  std::map<std::string, float> inputs;  // by module, "model.layers.0.self_attn.q_proj"
  std::vector<KvScales> kv;             // of each layer
  std::vector<CalibratedScale> report;
  std::int64_t tokens = 0;
};

/// Runs `ids` in windows through the model in BF16. Throws: Error(kInput) for a text without
/// tokens or values that are not finite.
Calibration calibrate(const ModelConfig& config, const WeightSource& source,
                      std::span<const TokenId> ids, const CalibrateOptions& options);

/// A source with the scales of a calibration in place of its own. Both must outlive it.
class CalibratedWeights : public WeightSource {
 public:
  CalibratedWeights(const WeightSource& base, const Calibration& calibration)
      : base_(base), calibration_(calibration) {}
  [[nodiscard]] bool has(const std::string& name) const override { return base_.has(name); }
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override {
    base_.read_row(name, row, out);
  }
  void release() const override { base_.release(); }
  [[nodiscard]] const CodeSource* codes(const std::string& module) const override {
    return base_.codes(module);
  }
  [[nodiscard]] float input_scale(const std::string& module) const override;
  [[nodiscard]] KvScales kv_scales(std::int64_t layer) const override;

 private:
  const WeightSource& base_;
  const Calibration& calibration_;
};

/// A source with other scales of keys and values: none, or the largest of each layer.
class KvScaleChoice : public WeightSource {
 public:
  enum class Kind { kNone, kLargest };
  KvScaleChoice(const WeightSource& base, Kind kind) : base_(base), kind_(kind) {}
  [[nodiscard]] bool has(const std::string& name) const override { return base_.has(name); }
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override {
    base_.read_row(name, row, out);
  }
  void release() const override { base_.release(); }
  [[nodiscard]] const CodeSource* codes(const std::string& module) const override {
    return base_.codes(module);
  }
  [[nodiscard]] float input_scale(const std::string& module) const override {
    return base_.input_scale(module);
  }
  [[nodiscard]] KvScales kv_scales(std::int64_t layer) const override;

 private:
  const WeightSource& base_;
  Kind kind_;
};

}  // namespace assay::engine
