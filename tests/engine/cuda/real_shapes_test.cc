// Products of real models' shapes on a device: too large for the emulation. A token's bits are the
// same alone and among many, whatever tiles, pairs of blocks, strips and parts that means, and the
// Hopper kernels agree with mma.sync.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/runtime.h"
#include "engine/ops/quantize.h"

namespace assay::engine {
namespace {

struct RealShape {
  const char* name;
  int rows, shards, shard_inputs;
  bool fp8;
};
void PrintTo(const RealShape& s, std::ostream* out) { *out << s.name; }

constexpr int kMostTokens = 1700;

/// [rows, shards * shard_inputs] random values on the device, quantized by row.
class RandomMatrix {
 public:
  RandomMatrix(const RealShape& s, int rows, std::uint64_t key)
      : data_(static_cast<std::size_t>(rows) * static_cast<std::size_t>(s.shards) *
                  static_cast<std::size_t>(s.shard_inputs) * (s.fp8 ? 1 : 2),
              "a test"),
        scale_(static_cast<std::size_t>(rows) * sizeof(float), "a test") {
    shape_.type = s.fp8 ? WeightType::kE4m3 : WeightType::kBf16;
    shape_.rows = rows;
    shape_.shards = s.shards;
    shape_.shard_used = s.shard_inputs;
    shape_.shard_k = s.shard_inputs;
    shape_.data = data_.as<void>();
    if (s.fp8) shape_.row_scale = scale_.as<float>();
    const int cols = s.shards * s.shard_inputs;
    constexpr int kStep = 256;
    const DeviceBuffer staging(static_cast<std::size_t>(kStep * cols) * sizeof(float), "a test");
    for (int first = 0; first < rows; first += kStep) {
      const int count = std::min(kStep, rows - first);
      auto* values = staging.as<float>();
      dummy_rows_cuda(nullptr,
                      {.out = values, .rows = count, .cols = cols, .first_row = first, .key = key});
      weight_rows_cuda(
          nullptr, {.in = values, .rows = count, .cols = cols, .to = shape_, .first_row = first});
    }
    synchronize(nullptr);
  }
  const DeviceMatrix& shape() const { return shape_; }

 private:
  DeviceBuffer data_, scale_;
  DeviceMatrix shape_;
};

class RealShapesCuda : public testing::TestWithParam<RealShape> {
 protected:
  void SetUp() override {
    device_ = use_device(0);
    if (device_.capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  }

  DeviceGemmArgs args_for(int first, int tokens, int parts) const {
    const RealShape& s = GetParam();
    DeviceGemmArgs args;
    const std::int64_t row_bytes = weights_.shape().inputs() * (s.fp8 ? 1 : 2);
    args.a = static_cast<const std::byte*>(tokens_.shape().data) + first * row_bytes;
    args.a_scale = s.fp8 ? scales_.as<float>() : nullptr;
    args.a_is_e4m3 = s.fp8;
    args.w = weights_.shape();
    args.out = out_.as<void>();
    args.ldo = s.rows;
    args.tokens = tokens;
    args.a_rows = kMostTokens - first;
    args.kind = s.shards > 1 ? GemmOut::kParts : GemmOut::kFloat;
    args.parts = parts;
    return args;
  }

  /// Row `at` of the last product, its parts added as a tree.
  std::vector<float> row(const DeviceGemmArgs& args, int at) const {
    const auto cols = static_cast<std::size_t>(args.ldo);
    const auto parts = static_cast<std::size_t>(args.kind == GemmOut::kParts ? args.parts : 1);
    std::vector<float> all(cols * parts);
    for (std::size_t p = 0; p < parts; ++p) {
      const std::size_t from =
          (p * static_cast<std::size_t>(args.tokens) + static_cast<std::size_t>(at)) * cols;
      copy_to_host(nullptr, all.data() + p * cols, out_.as<float>() + from, cols * sizeof(float));
    }
    synchronize(nullptr);
    for (std::size_t width = parts; width > 1; width /= 2) {
      for (std::size_t p = 0; p < width / 2; ++p) {
        for (std::size_t c = 0; c < cols; ++c) {
          all[p * cols + c] = all[2 * p * cols + c] + all[(2 * p + 1) * cols + c];
        }
      }
    }
    all.resize(cols);
    return all;
  }

  static std::vector<float> ones(std::size_t count) { return std::vector<float>(count, 1.0F); }

  DeviceLimits device_;
  RandomMatrix weights_{GetParam(), GetParam().rows, 1};
  RandomMatrix tokens_{GetParam(), kMostTokens, 2};
  DeviceBuffer scales_{static_cast<std::size_t>(kMostTokens * GetParam().shards) * sizeof(float),
                       "a test"};
  DeviceBuffer out_{static_cast<std::size_t>(kMostTokens) *
                        static_cast<std::size_t>(GetParam().rows) * sizeof(float),
                    "a test"};
};

TEST_P(RealShapesCuda, ATokensBitsAreThoseOfTheTokenAlone) {
  const std::vector<float> factors = ones(scales_.size() / sizeof(float));
  copy_to_device(nullptr, scales_.as<float>(), factors.data(), scales_.size());
  synchronize(nullptr);
  GemmRunner wgmma(GemmKind::kWgmma, device_);
  GemmRunner mma(GemmKind::kMma, device_);
  std::map<int, std::vector<float>> alone;
  const auto token_alone = [&](int token) -> const std::vector<float>& {
    if (const auto found = alone.find(token); found != alone.end()) return found->second;
    const DeviceGemmArgs args = args_for(token, 1, GetParam().shards);
    wgmma.run(nullptr, args);
    std::vector<float> own = row(args, 0);
    mma.run(nullptr, args);
    const std::vector<float> other = row(args, 0);
    float most = 0;
    float difference = 0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      most = std::max(most, std::abs(other[i]));
      difference = std::max(difference, std::abs(own[i] - other[i]));
    }
    // Sums of 13 fraction bits against 25; a wrong place would be off by as much as the outputs.
    EXPECT_LE(difference, GetParam().fp8 ? most * 0x1p-8F : 0.0F) << "token " << token;
    return alone.emplace(token, std::move(own)).first->second;
  };
  for (const int tokens : {8, 33, 64, 65, 128, 129, 256, 300, kMostTokens}) {
    const int parts =
        GetParam().shards > 1 ? wgmma.parts(weights_.shape(), tokens, GetParam().fp8) : 1;
    const DeviceGemmArgs args = args_for(0, tokens, parts);
    ASSERT_LE(static_cast<std::int64_t>(parts) * tokens, kMostTokens);
    wgmma.run(nullptr, args);
    std::map<int, std::vector<float>> rows;
    for (const int token : {0, tokens / 2, tokens - 1}) rows[token] = row(args, token);
    for (const auto& [token, values] : rows) {
      ASSERT_EQ(values, token_alone(token)) << "token " << token << " of " << tokens;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, RealShapesCuda,
                         testing::Values(RealShape{"70b qkv", 10240, 1, 8192, true},
                                         RealShape{"70b o", 8192, 8, 1024, true},
                                         RealShape{"70b down", 8192, 8, 3584, true},
                                         RealShape{"8b gate_up", 28672, 1, 4096, true},
                                         RealShape{"1b down, bf16", 2048, 8, 1024, false},
                                         RealShape{"1b lm_head, bf16", 128256, 1, 2048, false}));

}  // namespace
}  // namespace assay::engine
