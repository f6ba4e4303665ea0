#include "engine/rope.h"

#include <cmath>
#include <numbers>

#include "base/check.h"

namespace assay::engine {
namespace {

/// Long wavelengths are stretched by `factor`, short ones are kept, those between are mixed.
double llama3_scaled(double frequency, const RopeConfig& rope) {
  const auto original = static_cast<double>(rope.original_context);
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < original / rope.high_freq_factor) return frequency;
  if (wavelength > original / rope.low_freq_factor) return frequency / rope.factor;
  const double kept = (original / wavelength - rope.low_freq_factor) /
                      (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - kept) * frequency / rope.factor + kept * frequency;
}

}  // namespace

std::vector<double> rope_inverse_frequencies(const RopeConfig& rope, std::int64_t head_dim) {
  ASSAY_CHECK(head_dim > 0 && head_dim % 2 == 0, "head_dim must be even and positive");
  std::vector<double> out;
  for (std::int64_t j = 0; j < head_dim / 2; ++j) {
    const double exponent = -2.0 * static_cast<double>(j) / static_cast<double>(head_dim);
    const double frequency = std::pow(rope.theta, exponent);
    switch (rope.kind) {
      case RopeKind::kDefault:
        out.push_back(frequency);
        break;
      case RopeKind::kLinear:
        out.push_back(frequency / rope.factor);
        break;
      case RopeKind::kLlama3:
        out.push_back(llama3_scaled(frequency, rope));
        break;
    }
  }
  return out;
}

}  // namespace assay::engine
