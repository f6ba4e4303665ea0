#include "engine/stored_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "engine/model.h"
#include "engine/ops/number.h"

namespace assay::engine {
namespace {

/// Column order of the nibbles of an AWQ word, lowest first.
constexpr std::int64_t kAwqOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
/// E8M0 codes beyond these give values that BF16 cannot hold.
constexpr int kLeastE8m0 = 2;
constexpr int kMostE8m0 = 252;

std::string shown(const Checkpoint& checkpoint) {
  return escaped(checkpoint.folder().string(), 400);
}

std::uint32_t word_at(const TensorView& tensor, std::int64_t index) {
  std::uint32_t word = 0;
  std::memcpy(&word, tensor.bytes.data() + static_cast<std::size_t>(index) * 4, 4);
  return word;
}

std::uint8_t byte_at(const TensorView& tensor, std::int64_t index) {
  return static_cast<std::uint8_t>(tensor.bytes[static_cast<std::size_t>(index)]);
}

std::int64_t elements(const TensorView& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= size;
  return count;
}

class StoredCodes : public CodeSource {
 public:
  StoredCodes(const Checkpoint& checkpoint, const StoredScheme& scheme, std::string module,
              std::int64_t rows, std::int64_t cols)
      : folder_(shown(checkpoint)),
        scheme_(scheme),
        module_(std::move(module)),
        rows_(rows),
        cols_(cols),
        weight_(checkpoint.at(module_ + "." + scheme.weight)),
        scale_(checkpoint.at(module_ + "." + scheme.scale)),
        zero_(zero_points(checkpoint)),
        groups_(scheme.format.group > 0 ? (cols + scheme.format.group - 1) / scheme.format.group
                                        : 0) {
    check_scales();
    if (!scheme.global_scale.empty()) {
      const float global =
          checked_scale(checkpoint.at(module_ + "." + scheme.global_scale), 0, folder_);
      global_ = scheme.global_is_divisor ? 1.0F / global : global;
    }
    if (!scheme.input_scale.empty()) {
      scheme_.format.input_scale =
          checked_scale(checkpoint.at(module_ + "." + scheme.input_scale), 0, folder_);
    }
    check_order(checkpoint);
    check_shape(checkpoint);
    check_no_zero_points(checkpoint);
  }

  const MatrixFormat& format() const override { return scheme_.format; }

  void read(std::int64_t row, CodeRow& out) const override {
    out.codes.resize(static_cast<std::size_t>(cols_));
    out.group_scale.resize(static_cast<std::size_t>(groups_));
    out.row_scale = groups_ == 0 ? scale(elements(scale_) == 1 ? 0 : row) : global_;
    for (std::int64_t g = 0; g < groups_; ++g) {
      out.group_scale[static_cast<std::size_t>(g)] = scale(scale_index(row, g));
    }
    read_codes(row, out.codes);
    read_zero_points(row, out.zero_points);
  }

 private:
  const TensorView* zero_points(const Checkpoint& checkpoint) const {
    switch (scheme_.packing) {
      case CodePacking::kGptq:
      case CodePacking::kAwq:
        return &checkpoint.at(module_ + ".qzeros");
      case CodePacking::kWords:
        return scheme_.symmetric ? nullptr : &checkpoint.at(module_ + ".weight_zero_point");
      default:
        return nullptr;
    }
  }

  [[noreturn]] void fail(const std::string& tensor, const std::string& reason) const {
    throw_input("{}: tensor \"{}\": {}", folder_, tensor, reason);
  }

  float scale(std::int64_t index) const {
    if (scheme_.format.weights != WeightType::kE2m1) return scale_value(scale_, index);
    const std::uint8_t code = byte_at(scale_, index);
    return scheme_.format.power_of_two ? e8m0_to_float(code) : e4m3_to_float(code);
  }

  std::int64_t scale_index(std::int64_t row, std::int64_t g) const {
    if (scheme_.format.scales == ScaleLayout::kBlocks) {
      return row / scheme_.block_rows * groups_ + g;
    }
    const bool columns =
        scheme_.packing == CodePacking::kGptq || scheme_.packing == CodePacking::kAwq;
    return columns ? g * rows_ + row : row * groups_ + g;
  }

  void check_scales() const {
    const bool e8m0 = scheme_.format.power_of_two;
    const bool fp4 = scheme_.format.weights == WeightType::kE2m1;
    const std::int64_t count = elements(scale_);
    for (std::int64_t i = 0; i < count; ++i) {
      if (e8m0) {
        const int code = byte_at(scale_, i);
        if (code > kMostE8m0 || (code < kLeastE8m0 && code != 0)) {
          fail(scale_.name, fmt::format("element {} has the exponent code {}", i, code));
        }
        continue;
      }
      const float value = scale(i);
      // Blocks of zeros have the scale zero in NVFP4.
      if (!std::isfinite(value) || value < 0 || (value == 0 && !fp4)) {
        fail(scale_.name,
             fmt::format("element {} is {}, a positive number was expected", i, value));
      }
    }
  }

  /// GPTQ's map from inputs to groups must be the plain one.
  void check_order(const Checkpoint& checkpoint) const {
    if (scheme_.packing != CodePacking::kGptq) return;
    const TensorView* order = checkpoint.find(module_ + ".g_idx");
    if (order == nullptr) return;
    for (std::int64_t i = 0; i < cols_; ++i) {
      if (word_at(*order, i) != static_cast<std::uint32_t>(i / scheme_.format.group)) {
        fail(order->name, "permutes the inputs (desc_act), which is not supported");
      }
    }
  }

  void check_shape(const Checkpoint& checkpoint) const {
    const TensorView* shape = checkpoint.find(module_ + ".weight_shape");
    if (shape == nullptr) return;
    const auto size = shape->dtype == DType::kI64 ? 8U : 4U;
    for (std::int64_t i = 0; i < 2; ++i) {
      std::int64_t value = 0;  // little-endian: the lower bytes come first
      std::memcpy(&value, shape->bytes.data() + static_cast<std::size_t>(i) * size, size);
      if (value != (i == 0 ? rows_ : cols_)) {
        fail(shape->name,
             fmt::format("says {}, config.json implies {}", value, i == 0 ? rows_ : cols_));
      }
    }
  }

  /// Symmetric formats may store zero points; then they are zero.
  void check_no_zero_points(const Checkpoint& checkpoint) const {
    for (const std::string& suffix : scheme_.ignored) {
      if (!suffix.ends_with("zero_point")) continue;
      const TensorView* tensor = checkpoint.find(module_ + "." + suffix);
      if (tensor == nullptr) continue;
      const bool zero = std::all_of(tensor->bytes.begin(), tensor->bytes.end(),
                                    [](std::byte b) { return b == std::byte{0}; });
      if (!zero) fail(tensor->name, "is not zero, but the config says symmetric");
    }
  }

  void read_codes(std::int64_t row, std::vector<float>& out) const {
    switch (scheme_.packing) {
      case CodePacking::kBytes:
        return read_bytes(row, out);
      case CodePacking::kWords: {
        const std::int64_t each = 32 / scheme_.bits;
        const std::int64_t words = (cols_ + each - 1) / each;
        const float offset = scheme_.bits == 8 ? -128.0F : 0.0F;
        for (std::int64_t i = 0; i < cols_; ++i) {
          const std::uint32_t word = word_at(weight_, row * words + i / each);
          const std::uint32_t code = word >> (i % each * scheme_.bits);
          out[static_cast<std::size_t>(i)] =
              static_cast<float>(code & (scheme_.bits == 8 ? 255U : 15U)) + offset;
        }
        return;
      }
      case CodePacking::kGptq:
        for (std::int64_t i = 0; i < cols_; ++i) {
          const std::uint32_t word = word_at(weight_, i / 8 * rows_ + row);
          out[static_cast<std::size_t>(i)] = static_cast<float>((word >> (i % 8 * 4)) & 15U);
        }
        return;
      case CodePacking::kAwq:
        return read_awq(row, out);
      case CodePacking::kNibbles: {
        const std::int64_t bytes = (cols_ + 1) / 2;
        for (std::int64_t i = 0; i < cols_; ++i) {
          const std::uint8_t both = byte_at(weight_, row * bytes + i / 2);
          out[static_cast<std::size_t>(i)] =
              e2m1_to_float(static_cast<e2m1>(i % 2 == 0 ? both & 15U : both >> 4));
        }
        return;
      }
    }
  }

  void read_bytes(std::int64_t row, std::vector<float>& out) const {
    const std::byte* from = weight_.bytes.data() + row * cols_;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (scheme_.format.weights == WeightType::kInt8) {
        out[i] = static_cast<float>(static_cast<std::int8_t>(from[i]));
        continue;
      }
      const auto code = static_cast<e4m3>(from[i]);
      if ((code & 0x7FU) == 0x7FU) {
        fail(weight_.name, fmt::format("row {}, column {} is NaN", row, i));
      }
      out[i] = e4m3_to_float(code);
    }
  }

  /// Output `row` of every input: nibble p of a word holds output kAwqOrder[p] of its eight.
  void read_awq(std::int64_t row, std::vector<float>& out) const {
    const std::int64_t words = rows_ / 8;
    const int shift = awq_shift(row);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::uint32_t word = word_at(weight_, static_cast<std::int64_t>(i) * words + row / 8);
      out[i] = static_cast<float>((word >> shift) & 15U);
    }
  }

  static int awq_shift(std::int64_t row) {
    const auto* found = std::find(std::begin(kAwqOrder), std::end(kAwqOrder), row % 8);
    return static_cast<int>(found - std::begin(kAwqOrder)) * 4;
  }

  void read_zero_points(std::int64_t row, std::vector<std::uint8_t>& out) const {
    if (scheme_.format.weights != WeightType::kInt4) {
      out.clear();
      return;
    }
    out.assign(static_cast<std::size_t>(groups_), 8);
    if (zero_ == nullptr) return;
    for (std::int64_t g = 0; g < groups_; ++g) {
      unsigned zero = 0;
      if (scheme_.packing == CodePacking::kWords) {
        zero = word_at(*zero_, row / 8 * groups_ + g) >> (row % 8 * 4);
      } else if (scheme_.packing == CodePacking::kGptq) {
        zero = word_at(*zero_, g * (rows_ / 8) + row / 8) >> (row % 8 * 4);
      } else {
        zero = word_at(*zero_, g * (rows_ / 8) + row / 8) >> awq_shift(row);
      }
      zero &= 15U;
      if (scheme_.zero_plus_one && ++zero == 16) {
        fail(zero_->name, fmt::format("row {}, group {}: a zero point of 16, which engines read "
                                      "differently",
                                      row, g));
      }
      out[static_cast<std::size_t>(g)] = static_cast<std::uint8_t>(zero);
    }
  }

  std::string folder_;
  StoredScheme scheme_;
  std::string module_;
  std::int64_t rows_;
  std::int64_t cols_;
  const TensorView& weight_;
  const TensorView& scale_;
  const TensorView* zero_;  // or null
  std::int64_t groups_;     // 0: one scale a row
  float global_ = 1;
};

struct KvNames {
  const char* key;
  const char* value;
};
constexpr KvNames kKvNames[] = {
    {"self_attn.k_scale", "self_attn.v_scale"},
    {"self_attn.k_proj.k_scale", "self_attn.v_proj.v_scale"},
    {"self_attn.k_proj.output_scale", "self_attn.v_proj.output_scale"},
    {"self_attn.attn.k_scale", "self_attn.attn.v_scale"},
    {"self_attn.kv_scale", "self_attn.kv_scale"},
};

std::vector<float> head_scales(const TensorView& tensor, std::int64_t kv_heads,
                               const std::string& folder) {
  const std::int64_t count = elements(tensor);
  const bool plain =
      tensor.dtype == DType::kF32 || tensor.dtype == DType::kBf16 || tensor.dtype == DType::kF16;
  if (!plain || (count != 1 && count != kv_heads)) {
    throw_input("{}: tensor \"{}\" is not one number, or {}, one a KV head", folder, tensor.name,
                kv_heads);
  }
  std::vector<float> out;
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    out.push_back(checked_scale(tensor, count == 1 ? 0 : head, folder));
  }
  return out;
}

}  // namespace

float scale_value(const TensorView& tensor, std::int64_t index) {
  const std::size_t size = tensor.dtype == DType::kF32 ? 4 : 2;
  const std::byte* from = tensor.bytes.data() + static_cast<std::size_t>(index) * size;
  if (size == 4) {
    float value = 0;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof(bits));
  return tensor.dtype == DType::kBf16 ? bf16_to_float(bits) : half_to_float(bits);
}

float checked_scale(const TensorView& tensor, std::int64_t index, const std::string& folder) {
  const float value = scale_value(tensor, index);
  if (!(value > 0) || !std::isfinite(value)) {
    throw_input("{}: tensor \"{}\": element {} is {}, a positive number was expected", folder,
                tensor.name, index, value);
  }
  return value;
}

std::unique_ptr<CodeSource> open_stored_codes(const Checkpoint& checkpoint,
                                              const StoredScheme& scheme, const std::string& module,
                                              std::int64_t rows, std::int64_t cols) {
  return std::make_unique<StoredCodes>(checkpoint, scheme, module, rows, cols);
}

KvScales stored_kv_scales(const Checkpoint& checkpoint, std::int64_t layer, std::int64_t kv_heads) {
  const std::string prefix = fmt::format("model.layers.{}.", layer);
  for (const KvNames& names : kKvNames) {
    const TensorView* key = checkpoint.find(prefix + names.key);
    const TensorView* value = checkpoint.find(prefix + names.value);
    if (key == nullptr && value == nullptr) continue;
    if (key == nullptr || value == nullptr) {
      throw_input("{}: tensor \"{}\" is missing beside \"{}\"", shown(checkpoint),
                  prefix + (key == nullptr ? names.key : names.value),
                  prefix + (key == nullptr ? names.value : names.key));
    }
    return {.key = head_scales(*key, kv_heads, shown(checkpoint)),
            .value = head_scales(*value, kv_heads, shown(checkpoint))};
  }
  return {};
}

const std::vector<std::string>& kv_scale_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const KvNames& pair : kKvNames) {
      out.emplace_back(pair.key);
      out.emplace_back(pair.value);
    }
    return out;
  }();
  return names;
}

}  // namespace assay::engine
