#include "engine/weight_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/model.h"
#include "engine/ops/number.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kBlockRows = 128;
constexpr float kLeastScale = 0x1p-40F;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

float floored(float scale) { return scale < kLeastScale ? kLeastScale : scale; }

/// NaN when a value is not finite.
float largest(std::span<const float> values) {
  float top = 0;
  for (const float value : values) {
    const float magnitude = std::abs(value);
    if (!(magnitude <= std::numeric_limits<float>::max())) return std::nanf("");
    top = std::max(top, magnitude);
  }
  return top;
}

/// The larger; NaN stays.
float join(float a, float b) { return std::isnan(a) ? a : std::isnan(b) ? b : std::max(a, b); }

float round_int8(float value) { return std::clamp(std::nearbyint(value), -127.0F, 127.0F); }

std::span<const float> group_of(std::span<const float> row, std::int64_t group, std::int64_t g) {
  const auto begin = static_cast<std::size_t>(g * group);
  return row.subspan(begin, std::min(static_cast<std::size_t>(group), row.size() - begin));
}

class Quantizer : public CodeSource {
 public:
  Quantizer(const WeightSource& source, const MatrixShape& matrix, const MatrixFormat& format,
            const ParallelFor& parallel)
      : source_(source), matrix_(matrix), format_(format) {
    if (format.scales == ScaleLayout::kTensor) {
      tensor_scale_ = floored(amax_of(matrix.tensor, matrix.rows, parallel) / kE4m3Max);
    } else if (format.scales == ScaleLayout::kBlocks) {
      measure_blocks(parallel);
    } else if (format.weights == WeightType::kE2m1 && !format.power_of_two) {
      float amax = 0;
      for (const auto& [tensor, rows] : matrix.scaled_with) {
        amax = join(amax, amax_of(tensor, rows, parallel));
      }
      global_scale_ = nvfp4_global_scale(amax);
      tensor_scale_ = 1.0F / global_scale_;
    }
  }

  const MatrixFormat& format() const override { return format_; }
  float global_divisor() const override { return global_scale_; }

  void read(std::int64_t row, CodeRow& out) const override {
    std::vector<float> values(static_cast<std::size_t>(matrix_.cols));
    source_.read_row(matrix_.tensor, row, values);
    out.codes.resize(values.size());
    out.row_scale = 1;
    const std::int64_t groups = format_.group == 0 ? 0 : divide_up(matrix_.cols, format_.group);
    out.group_scale.assign(static_cast<std::size_t>(groups), 1.0F);
    out.zero_points.assign(
        format_.weights == WeightType::kInt4 ? static_cast<std::size_t>(groups) : 0, 0);
    if (groups == 0) return quantize_whole(values, out);
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::span<const float> in = group_of(values, format_.group, g);
      float* codes = out.codes.data() + g * format_.group;
      const auto at = static_cast<std::size_t>(g);
      switch (format_.weights) {
        case WeightType::kInt4:
          out.group_scale[at] = quantize_int4(in, codes, out.zero_points[at]);
          break;
        case WeightType::kE2m1:
          out.group_scale[at] = quantize_e2m1(in, codes);
          break;
        default:
          out.group_scale[at] = blocks_[static_cast<std::size_t>(row / kBlockRows * groups + g)];
          quantize_e4m3(in, out.group_scale[at], codes);
      }
    }
    if (format_.weights == WeightType::kE2m1 && !format_.power_of_two) {
      out.row_scale = tensor_scale_;
    }
  }

 private:
  float amax_of(const std::string& tensor, std::int64_t rows, const ParallelFor& parallel) const {
    std::vector<float> tops(static_cast<std::size_t>(rows));
    parallel(rows, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> values(static_cast<std::size_t>(matrix_.cols));
      for (std::int64_t row = begin; row < end; ++row) {
        source_.read_row(tensor, row, values);
        tops[static_cast<std::size_t>(row)] = largest(values);
      }
    });
    float top = 0;
    for (const float value : tops) top = join(top, value);
    return top;
  }

  void measure_blocks(const ParallelFor& parallel) {
    const std::int64_t groups = divide_up(matrix_.cols, format_.group);
    const std::int64_t lines = divide_up(matrix_.rows, kBlockRows);
    blocks_.assign(static_cast<std::size_t>(lines * groups), 0.0F);
    parallel(lines, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> values(static_cast<std::size_t>(matrix_.cols));
      for (std::int64_t row = begin * kBlockRows; row < std::min(end * kBlockRows, matrix_.rows);
           ++row) {
        source_.read_row(matrix_.tensor, row, values);
        for (std::int64_t g = 0; g < groups; ++g) {
          float& top = blocks_[static_cast<std::size_t>(row / kBlockRows * groups + g)];
          top = join(top, largest(group_of(values, format_.group, g)));
        }
      }
    });
    for (float& scale : blocks_) scale = floored(scale / kE4m3Max);
  }

  static void quantize_e4m3(std::span<const float> in, float scale, float* codes) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      codes[i] = e4m3_to_float(float_to_e4m3(in[i] / scale));
    }
  }

  void quantize_whole(std::span<const float> in, CodeRow& out) const {
    const bool int8 = format_.weights == WeightType::kInt8;
    const bool tensor = format_.scales == ScaleLayout::kTensor;
    out.row_scale = tensor ? tensor_scale_ : floored(largest(in) / (int8 ? kInt8Max : kE4m3Max));
    if (!int8) return quantize_e4m3(in, out.row_scale, out.codes.data());
    for (std::size_t i = 0; i < in.size(); ++i) {
      const float code = round_int8(in[i] / out.row_scale);
      out.codes[i] = std::isnan(code) ? 0 : code;  // the scale is NaN, too
    }
  }

  static float quantize_int4(std::span<const float> in, float* codes, std::uint8_t& zero) {
    float low = 0;
    float high = 0;
    for (const float value : in) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    float scale = bf16_to_float(float_to_bf16(floored((high - low) / 15.0F)));
    if (std::isnan(largest(in))) scale = std::nanf("");
    const auto nearest = [&](float value) {
      const float code = std::nearbyint(value / scale);
      return std::isnan(code) ? 0.0F : code;
    };
    const float offset = std::clamp(nearest(-low), 0.0F, 15.0F);
    zero = static_cast<std::uint8_t>(offset);
    for (std::size_t i = 0; i < in.size(); ++i) {
      codes[i] = std::clamp(nearest(in[i]) + offset, 0.0F, 15.0F);
    }
    return scale;
  }

  float quantize_e2m1(std::span<const float> in, float* codes) const {
    const float amax = largest(in);
    float scale = 0;
    if (std::isnan(amax)) {
      scale = amax;
    } else if (format_.power_of_two) {
      const int exponent = std::clamp(float_to_e8m0_floor(amax) - 2, 1, 252);
      scale = e8m0_to_float(static_cast<e8m0>(exponent));
    } else {
      scale = e4m3_to_float(float_to_e4m3(amax / kE2m1Max * global_scale_));
    }
    const float divisor = scale * tensor_scale_;
    for (std::size_t i = 0; i < in.size(); ++i) {
      const float value = divisor > 0 ? in[i] / divisor : 0.0F;
      codes[i] = e2m1_to_float(float_to_e2m1(value));
    }
    return scale;
  }

  const WeightSource& source_;
  MatrixShape matrix_;
  MatrixFormat format_;
  float tensor_scale_ = 1;
  float global_scale_ = 1;
  std::vector<float> blocks_;  // [rows / 128][groups]
};

}  // namespace

float nvfp4_global_scale(float amax) {
  const float scale = kE2m1Max * kE4m3Max / floored(amax);
  return std::isnan(amax) ? amax : scale;
}

void dequantize(const CodeRow& row, std::int64_t group, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    float value = row.codes[i];
    if (!row.group_scale.empty()) {
      const std::size_t g = i / static_cast<std::size_t>(group);
      if (!row.zero_points.empty()) value -= static_cast<float>(row.zero_points[g]);
      value *= row.group_scale[g];
    }
    out[i] = value * row.row_scale;
  }
}

std::unique_ptr<CodeSource> quantize_matrix(const WeightSource& source, const MatrixShape& matrix,
                                            const MatrixFormat& format,
                                            const ParallelFor& parallel) {
  return std::make_unique<Quantizer>(source, matrix, format, parallel);
}

}  // namespace assay::engine
