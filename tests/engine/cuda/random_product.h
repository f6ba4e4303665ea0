// Random matrix products on host and device, and what scalar code makes of them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <vector>

#include "base/random.h"
#include "engine/ops/device_gemm.h"
#include "engine/ops/gemm.h"
#include "engine/ops/memory.h"
#include "tests/engine/cuda/device_array.h"

namespace assay::engine::test {

struct Shape {
  bool w_is_e4m3, a_is_e4m3;
  int rows, shards, shard_used, tokens;
};
inline void PrintTo(const Shape& s, std::ostream* out) {
  *out << (s.w_is_e4m3 ? "e4m3" : "bf16") << " x " << (s.a_is_e4m3 ? "e4m3 " : "bf16 ") << s.rows
       << "x" << s.shards << "*" << s.shard_used << ", " << s.tokens << " tokens";
}

/// The same random product on host and device.
class Problem {
 public:
  explicit Problem(const Shape& s, bool biased = true)
      : shape_(s),
        biased_(biased),
        host_w_(make_packed_matrix(s.w_is_e4m3 ? WeightType::kE4m3 : WeightType::kBf16, s.rows,
                                   s.shards, s.shard_used)),
        padded_(host_w_.padded_inputs()),
        device_w_(static_cast<std::size_t>(s.rows * padded_ * (s.w_is_e4m3 ? 1 : 2))),
        device_a_(static_cast<std::size_t>(s.tokens * padded_ * (s.a_is_e4m3 ? 1 : 2))) {
    SplitMix64 random(31);
    const auto uniform = [&] { return static_cast<float>(random.uniform() * 2 - 1); };
    const auto value = [&](bool is_e4m3) {
      return is_e4m3 ? e4m3_to_float(float_to_e4m3(uniform() * 448)) : uniform();
    };
    std::vector<std::uint8_t> w_bytes(device_w_.values().size(), 0);
    std::vector<float> row(static_cast<std::size_t>(host_w_.inputs()));
    for (int n = 0; n < s.rows; ++n) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = value(s.w_is_e4m3);
        put(w_bytes, s.w_is_e4m3, n, static_cast<int>(i), row[i]);
      }
      pack_row(cpu_kernels(), host_w_, n, row, 1);
      if (s.w_is_e4m3) host_w_.row_scale[static_cast<std::size_t>(n)] = 0.01F * (1.5F + uniform());
    }
    host_w_.bias.resize(static_cast<std::size_t>(host_w_.padded_rows()));
    for (float& b : host_w_.bias) b = biased_ ? uniform() : 0;
    std::vector<std::uint8_t> a_bytes(device_a_.values().size(), 0);
    host_a_.assign(static_cast<std::size_t>(s.tokens * padded_), 0);
    for (int m = 0; m < s.tokens; ++m) {
      for (int i = 0; i < s.shards * s.shard_used; ++i) {
        const float x = value(s.a_is_e4m3);
        put(a_bytes, s.a_is_e4m3, m, i, x);
        host_a_[static_cast<std::size_t>(m * padded_ + at(i))] = float_to_bf16(x);
      }
      for (int i = 0; i < s.shards; ++i) a_scale_.push_back(0.01F * (1.5F + uniform()));
    }
    device_w_ = DeviceArray<std::uint8_t>(w_bytes);
    device_a_ = DeviceArray<std::uint8_t>(a_bytes);
  }

  /// FP32 outputs [tokens, rows] of the reference.
  std::vector<float> expected(bool finish) const {
    const auto ldo = host_w_.padded_rows();
    std::vector<float> out(static_cast<std::size_t>(shape_.tokens * ldo));
    gemm_ref({.a = host_a_.data(),
              .a_scale = shape_.a_is_e4m3 ? a_scale_.data() : nullptr,
              .w = &host_w_,
              .out = out.data(),
              .ldo = ldo,
              .rows = shape_.tokens,
              .out_bf16 = false,
              .finish = finish});
    std::vector<float> dense;
    for (int m = 0; m < shape_.tokens; ++m) {
      dense.insert(dense.end(), out.begin() + m * ldo, out.begin() + m * ldo + shape_.rows);
    }
    return dense;
  }

  /// The sum of the products' magnitudes, with all scales, for tolerances.
  std::vector<float> magnitudes() const {
    std::vector<float> out;
    for (int m = 0; m < shape_.tokens; ++m) {
      for (int n = 0; n < shape_.rows; ++n) {
        double sum = 0;
        for (int i = 0; i < shape_.shards * shape_.shard_used; ++i) {
          const float a = bf16_to_float(host_a_[static_cast<std::size_t>(m * padded_ + at(i))]);
          const float scale =
              shape_.a_is_e4m3
                  ? a_scale_[static_cast<std::size_t>(m * shape_.shards + i / shape_.shard_used)]
                  : 1;
          sum += static_cast<double>(std::abs(a * packed_value(host_w_, n, i)) * scale);
        }
        if (shape_.w_is_e4m3) {
          sum *= static_cast<double>(host_w_.row_scale[static_cast<std::size_t>(n)]);
        }
        out.push_back(static_cast<float>(sum) + 1);
      }
    }
    return out;
  }

  template <typename Run>
  std::vector<float> run(const Run& kernel, GemmOut kind, int parts, int tokens = 0) const {
    if (tokens == 0) tokens = shape_.tokens;
    const DeviceArray<float> scale(
        std::vector<float>(host_w_.row_scale.begin(),
                           host_w_.row_scale.begin() + (shape_.w_is_e4m3 ? shape_.rows : 0)));
    const DeviceArray<float> bias(
        std::vector<float>(host_w_.bias.begin(), host_w_.bias.begin() + shape_.rows));
    const DeviceArray<float> a_scale(a_scale_);
    const DeviceArray<float> out(static_cast<std::size_t>(parts * tokens * shape_.rows));
    DeviceMatrix w;
    w.type = host_w_.type;
    w.rows = shape_.rows;
    w.shards = shape_.shards;
    w.shard_used = shape_.shard_used;
    w.shard_k = static_cast<int>(host_w_.shard_k);
    w.data = device_w_.get();
    w.row_scale = shape_.w_is_e4m3 ? scale.get() : nullptr;
    w.bias = biased_ ? bias.get() : nullptr;
    kernel(DeviceGemmArgs{.a = device_a_.get(),
                          .a_scale = shape_.a_is_e4m3 ? a_scale.get() : nullptr,
                          .a_is_e4m3 = shape_.a_is_e4m3,
                          .w = w,
                          .out = out.get(),
                          .ldo = shape_.rows,
                          .tokens = tokens,
                          .a_rows = shape_.tokens,
                          .kind = kind,
                          .parts = parts});
    EXPECT_TRUE(out.guard_is_intact());
    return out.values();
  }

 private:
  std::int64_t at(int input) const {
    return input / shape_.shard_used * host_w_.shard_k + input % shape_.shard_used;
  }
  void put(std::vector<std::uint8_t>& bytes, bool is_e4m3, int row, int input, float value) const {
    const auto index = static_cast<std::size_t>(row * padded_ + at(input));
    if (is_e4m3) {
      bytes[index] = float_to_e4m3(value);
    } else {
      const bf16 half = float_to_bf16(value);
      bytes[2 * index] = static_cast<std::uint8_t>(half & 0xFFU);
      bytes[2 * index + 1] = static_cast<std::uint8_t>(half >> 8);
    }
  }

  Shape shape_;
  bool biased_;
  PackedMatrix host_w_;
  std::int64_t padded_;
  std::vector<bf16> host_a_;
  std::vector<float> a_scale_;
  DeviceArray<std::uint8_t> device_w_;
  DeviceArray<std::uint8_t> device_a_;
};

/// Folds [parts, tokens, rows] as the consumer of a row-parallel product does.
inline std::vector<float> folded(std::vector<float> parts, std::size_t count) {
  for (std::size_t size = count; parts.size() > size;) {
    std::vector<float> next;
    for (std::size_t p = 0; p + 1 < parts.size() / size; p += 2) {
      for (std::size_t i = 0; i < size; ++i) {
        next.push_back(parts[p * size + i] + parts[(p + 1) * size + i]);
      }
    }
    parts = std::move(next);
  }
  return parts;
}

}  // namespace assay::engine::test
