#include "engine/tensor_stats.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr double kLeastAmax = 1e-4;
constexpr double kMostAmax = 1e3;
constexpr double kRmsFactor = 100;

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// Calls `visit(float)` for each value; the bytes need not be aligned.
template <typename Bits, typename ToFloat, typename Visit>
void for_each_value(std::span<const std::byte> bytes, const ToFloat& to_float, const Visit& visit) {
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    Bits bits{};
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    visit(to_float(bits));
  }
}

double median_rms(std::span<const TensorStats> stats) {
  std::vector<double> values;
  for (const TensorStats& tensor : stats) values.push_back(tensor.rms);
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

}  // namespace

namespace {

/// Sums over the values of one tensor.
class Sums {
 public:
  void add(float value) {
    if (!std::isfinite(value)) {
      ++out_.not_finite;
      return;
    }
    ++finite_;
    const double magnitude = std::abs(static_cast<double>(value));
    out_.amax = std::max(out_.amax, magnitude);
    squares_ += magnitude * magnitude;
  }
  TensorStats result(const std::string& name) {
    out_.name = name;
    if (finite_ > 0) out_.rms = std::sqrt(squares_ / static_cast<double>(finite_));
    return out_;
  }

 private:
  TensorStats out_;
  double squares_ = 0;
  std::int64_t finite_ = 0;
};

/// Of the products of codes and scales.
TensorStats stored_stats(const CheckpointWeights& weights, const TensorSpec& spec) {
  Sums sums;
  std::vector<float> row(static_cast<std::size_t>(spec.shape[1]));
  for (std::int64_t r = 0; r < spec.shape[0]; ++r) {
    weights.read_row(spec.name, r, row);
    for (const float value : row) sums.add(value);
  }
  return sums.result(spec.name);
}

}  // namespace

TensorStats tensor_stats(const TensorView& tensor) {
  Sums sums;
  const auto visit = [&](float value) { sums.add(value); };
  if (tensor.dtype == DType::kBf16) {
    for_each_value<std::uint16_t>(tensor.bytes, from_bf16, visit);
  } else if (tensor.dtype == DType::kF16) {
    for_each_value<std::uint16_t>(tensor.bytes, from_f16, visit);
  } else {
    ASSAY_CHECK(tensor.dtype == DType::kF32, "statistics of floating-point tensors");
    for_each_value<float>(
        tensor.bytes, [](float value) { return value; }, visit);
  }
  return sums.result(tensor.name);
}

std::vector<TensorStats> checkpoint_stats(const Checkpoint& checkpoint) {
  const CheckpointWeights weights(checkpoint);
  std::vector<TensorStats> out;
  for (const TensorSpec& spec : expected_tensors(checkpoint.config())) {
    const std::string module = spec.name.substr(0, spec.name.rfind('.'));
    out.push_back(weights.codes(module) != nullptr && spec.shape.size() == 2
                      ? stored_stats(weights, spec)
                      : tensor_stats(checkpoint.at(spec.name)));
  }
  return out;
}

std::vector<std::string> suspicious(std::span<const TensorStats> stats) {
  const double median = median_rms(stats);
  std::vector<std::string> out;
  for (const TensorStats& tensor : stats) {
    if (tensor.not_finite > 0) {
      out.push_back(
          fmt::format("{}: {} values are NaN or infinite", tensor.name, tensor.not_finite));
    }
    if (tensor.amax < kLeastAmax || tensor.amax > kMostAmax) {
      out.push_back(fmt::format("{}: largest value {:.3g} is outside [{}, {}]", tensor.name,
                                tensor.amax, kLeastAmax, kMostAmax));
    } else if (tensor.rms * kRmsFactor < median || tensor.rms > median * kRmsFactor) {
      out.push_back(fmt::format("{}: RMS {:.3g} is far from the median {:.3g} of all tensors",
                                tensor.name, tensor.rms, median));
    }
  }
  return out;
}

}  // namespace assay::engine
