// Row kernels against the CPU's, bit for bit: norm with residual, SwiGLU, packing, weights.
// Sizes: one value, below and above a block's threads, no multiple of 16 or 4, real widths.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "engine/ops/cpu_kernels.h"
#include "engine/ops/embed.h"
#include "engine/ops/gemm.h"
#include "engine/ops/memory.h"
#include "engine/ops/quantize.h"
#include "engine/ops/rms_norm.h"
#include "engine/ops/silu_mul.h"
#include "engine/weight_sources.h"
#include "tests/engine/cuda/device_array.h"

namespace assay::engine {
namespace {

using test::DeviceArray;

std::vector<bf16> random_bf16(SplitMix64& random, std::size_t count, float range) {
  std::vector<bf16> out(count);
  for (bf16& value : out) {
    value = float_to_bf16(static_cast<float>(random.uniform() * 2 - 1) * range);
  }
  return out;
}
std::vector<float> random_float(SplitMix64& random, std::size_t count, float range) {
  std::vector<float> out(count);
  for (float& value : out) value = static_cast<float>(random.uniform() * 2 - 1) * range;
  return out;
}

/// Where a product reads its input, on both sides.
struct Target {
  Target(int rows_in, int shards_in, int used_in, bool quantize_in)
      : rows(rows_in),
        shards(shards_in),
        used(used_in),
        padded(static_cast<int>(round_up(used_in, kBlock))),
        quantize(quantize_in),
        device(static_cast<std::size_t>(rows * shards * padded * (quantize ? 1 : 2))),
        device_scale(static_cast<std::size_t>(rows * shards)),
        host(static_cast<std::size_t>(rows * shards * padded), 0),
        host_scale(static_cast<std::size_t>(rows * shards), 0) {}

  NextInput next() const {
    return {.out = device.get(),
            .scale = quantize ? device_scale.get() : nullptr,
            .shards = shards,
            .shard_used = used,
            .shard_k = padded};
  }
  RowOut row(int r) {
    return {
        .out = host.data() + static_cast<std::ptrdiff_t>(r) * shards * padded,
        .scale = quantize ? host_scale.data() + static_cast<std::ptrdiff_t>(r) * shards : nullptr,
        .shards = shards,
        .shard_used = used,
        .shard_k = padded,
        .type = quantize ? ActivationType::kE4m3Token : ActivationType::kBf16};
  }
  void expect_equal() const {
    const std::vector<std::uint8_t> bytes = device.values();
    for (std::size_t i = 0; i < host.size(); ++i) {
      const bf16 value = quantize ? e4m3_to_bf16(bytes[i])
                                  : static_cast<bf16>(bytes[2 * i] | bytes[2 * i + 1] << 8);
      ASSERT_EQ(value, host[i]) << "value " << i;
    }
    if (quantize) {
      ASSERT_EQ(device_scale.values(), host_scale);
    }
    EXPECT_TRUE(device.guard_is_intact());
    EXPECT_TRUE(device_scale.guard_is_intact());
  }

  int rows, shards, used, padded;
  bool quantize;
  DeviceArray<std::uint8_t> device;
  DeviceArray<float> device_scale;
  std::vector<bf16> host;
  std::vector<float> host_scale;
};

const int kWidths[] = {1, 7, 16, 63, 172, 300, 2048, 3072};

TEST(RmsNormCuda, EqualsTheCpuWithAndWithoutQuantization) {
  SplitMix64 random(11);
  for (const int cols : kWidths) {
    for (const bool quantize : {false, true}) {
      const int rows = 3;
      const auto x = random_bf16(random, static_cast<std::size_t>(rows * cols), 4);
      const auto weight = random_float(random, static_cast<std::size_t>(cols), 2);
      Target target(rows, 1, cols, quantize);
      std::vector<float> scratch(static_cast<std::size_t>(round_up(cols, 16)));
      const FlushSubnormals flush;
      for (int r = 0; r < rows; ++r) {
        cpu_kernels().rms_norm({.in = x.data() + r * cols,
                                .weight = weight.data(),
                                .scratch = scratch.data(),
                                .cols = cols,
                                .eps = 1e-5F},
                               target.row(r));
      }
      const DeviceArray<bf16> device_x(x);
      const DeviceArray<float> device_weight(weight);
      rms_norm_cuda(nullptr, {.x = device_x.get(),
                              .weight = device_weight.get(),
                              .rows = rows,
                              .cols = cols,
                              .eps = 1e-5F,
                              .next = target.next()});
      target.expect_equal();
      EXPECT_EQ(device_x.values(), x);
    }
  }
}

TEST(RmsNormCuda, AddsTheFoldedPartsToTheResidualStream) {
  SplitMix64 random(12);
  for (const int parts : {1, 2, 4, 8}) {
    const int rows = 4;
    const int cols = 172;
    auto x = random_bf16(random, static_cast<std::size_t>(rows * cols), 4);
    const auto sums = random_float(random, static_cast<std::size_t>(parts * rows * cols), 300);
    const auto scale = random_float(random, static_cast<std::size_t>(cols), 0.01F);
    const auto bias = random_float(random, static_cast<std::size_t>(cols), 1);
    const auto weight = random_float(random, static_cast<std::size_t>(cols), 2);
    const DeviceArray<bf16> device_x(x);
    const DeviceArray<float> device_sums(sums);
    const DeviceArray<float> device_scale(scale);
    const DeviceArray<float> device_bias(bias);
    const DeviceArray<float> device_weight(weight);
    // Rows 3 and 1 alone, as for logits.
    const DeviceArray<int> row_of(std::vector<int>{3, 1});
    Target target(2, 1, cols, true);
    std::vector<float> scratch(static_cast<std::size_t>(round_up(cols, 16)));
    const FlushSubnormals flush;
    for (int r = 0; r < 2; ++r) {
      const int row = r == 0 ? 3 : 1;
      std::vector<float> folded(static_cast<std::size_t>(round_up(cols, 16)));
      for (int c = 0; c < cols; ++c) {
        std::vector<float> nodes;
        for (int p = 0; p < parts; ++p) {
          nodes.push_back(sums[static_cast<std::size_t>((p * rows + row) * cols + c)]);
        }
        for (; nodes.size() > 1; nodes.resize(nodes.size() / 2)) {
          for (std::size_t i = 0; i < nodes.size() / 2; ++i) {
            nodes[i] = nodes[2 * i] + nodes[2 * i + 1];
          }
        }
        folded[static_cast<std::size_t>(c)] = nodes[0];
      }
      cpu_kernels().add_residual(
          x.data() + row * cols,
          {.y = folded.data(), .scale = scale.data(), .bias = bias.data(), .cols = cols});
      cpu_kernels().rms_norm({.in = x.data() + row * cols,
                              .weight = weight.data(),
                              .scratch = scratch.data(),
                              .cols = cols,
                              .eps = 1e-6F},
                             target.row(r));
    }
    rms_norm_cuda(nullptr, {.x = device_x.get(),
                            .row_of = row_of.get(),
                            .weight = device_weight.get(),
                            .rows = 2,
                            .cols = cols,
                            .eps = 1e-6F,
                            .next = target.next(),
                            .sums = device_sums.get(),
                            .sum_scale = device_scale.get(),
                            .bias = device_bias.get(),
                            .parts = parts,
                            .sum_rows = rows});
    target.expect_equal();
    EXPECT_EQ(device_x.values(), x);
  }
}

TEST(RmsNormCuda, AValueThatIsNotFiniteMakesTheScaleNaN) {
  for (const float bad : {std::nanf(""), INFINITY}) {
    std::vector<bf16> x(2 * 40, float_to_bf16(1));
    x[45] = float_to_bf16(bad);
    const DeviceArray<bf16> device_x(x);
    const DeviceArray<float> weight(std::vector<float>(40, 1));
    Target target(2, 1, 40, true);
    rms_norm_cuda(nullptr, {.x = device_x.get(),
                            .weight = weight.get(),
                            .rows = 2,
                            .cols = 40,
                            .eps = 1e-5F,
                            .next = target.next()});
    const std::vector<float> scales = target.device_scale.values();
    EXPECT_TRUE(std::isfinite(scales[0]));
    EXPECT_TRUE(std::isnan(scales[1])) << bad;
  }
}

TEST(SiluMulCuda, EqualsTheCpuForEveryShardWidth) {
  SplitMix64 random(13);
  for (const int features : {1, 8, 172, 1000, 8192}) {
    for (const int shards : {1, 8}) {
      for (const bool quantize : {false, true}) {
        const int rows = 2;
        const int used = (features + shards - 1) / shards;
        const int ld = static_cast<int>(2 * round_up(features, kGateUpGroup));
        const auto wide = static_cast<std::size_t>(round_up(used * shards, 16));
        Target target(rows, shards, used, quantize);
        std::vector<bf16> fused(static_cast<std::size_t>(rows * ld), 0x7FC0);
        std::vector<float> scratch(wide + 16);
        const FlushSubnormals flush;
        for (int r = 0; r < rows; ++r) {
          auto gate = random_bf16(random, wide, 12);
          auto up = random_bf16(random, wide, 3);
          for (std::size_t i = 0; i < wide; ++i) {
            if (static_cast<int>(i) >= features) {
              gate[i] = up[i] = 0;
              continue;
            }
            const auto feature = static_cast<std::int64_t>(i);
            fused[static_cast<std::size_t>(r * ld + gate_up_row(feature, 0))] = gate[i];
            fused[static_cast<std::size_t>(r * ld + gate_up_row(feature, 1))] = up[i];
          }
          cpu_kernels().silu_mul(gate.data(), up.data(), scratch.data(), target.row(r));
        }
        const DeviceArray<bf16> device(fused);
        silu_mul_cuda(nullptr, {.gate_up = device.get(),
                                .ld = ld,
                                .rows = rows,
                                .next = target.next(),
                                .features = features});
        target.expect_equal();
      }
    }
  }
}

TEST(PackRowsCuda, EqualsTheCpu) {
  SplitMix64 random(14);
  for (const int cols : {8, 64, 520, 2048}) {
    for (const bool quantize : {false, true}) {
      const int rows = 3;
      const int used = (cols + 7) / 8;
      const auto x = random_bf16(random, static_cast<std::size_t>(rows * cols + 16), 9);
      Target target(rows, 8, used, quantize);
      std::vector<float> scratch(static_cast<std::size_t>(cols + 32));
      const FlushSubnormals flush;
      for (int r = 0; r < rows; ++r) {
        cpu_kernels().pack_row(x.data() + r * cols, scratch.data(), target.row(r));
      }
      const DeviceArray<bf16> device(x);
      pack_rows_cuda(
          nullptr,
          {.in = device.get(), .ld = cols, .rows = rows, .cols = cols, .next = target.next()});
      target.expect_equal();
    }
  }
}

/// Packs the same rows on both sides and compares codes and scales.
void compare_weights(WeightType type, int rows, int cols, int shards, bool common) {
  SplitMix64 random(15);
  const auto values = random_float(random, static_cast<std::size_t>(rows * cols), 0.3F);
  const int used = (cols + shards - 1) / shards;
  PackedMatrix host = make_packed_matrix(type, rows, shards, used);
  float amax = 0;
  for (const float value : values) amax = std::max(amax, std::abs(value));
  for (int r = 0; r < rows; ++r) {
    std::vector<float> row(static_cast<std::size_t>(host.inputs()), 0);
    std::copy_n(values.begin() + r * cols, cols, row.begin());
    float top = 0;
    for (const float value : row) top = std::max(top, std::abs(value));
    const float scale = type == WeightType::kBf16 ? 1 : e4m3_scale(common ? amax : top);
    pack_row(cpu_kernels(), host, r, row, scale);
  }
  DeviceMatrix to;
  to.type = type;
  to.rows = rows;
  to.shards = shards;
  to.shard_used = used;
  to.shard_k = static_cast<int>(round_up(used, kBlock));
  const DeviceArray<std::uint8_t> data(static_cast<std::size_t>(to.bytes()));
  const DeviceArray<float> scale(static_cast<std::size_t>(rows));
  const DeviceArray<float> whole(std::vector<float>{0});
  to.data = data.get();
  to.row_scale = scale.get();
  const DeviceArray<float> in(values);
  weight_amax_cuda(nullptr, in.get(), rows * cols, whole.get());
  EXPECT_EQ(whole.values()[0], amax);
  weight_rows_cuda(nullptr, {.in = in.get(),
                             .rows = rows,
                             .cols = cols,
                             .to = to,
                             .common = common ? whole.get() : nullptr});
  const std::vector<std::uint8_t> bytes = data.values();
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < cols; ++i) {
      const std::int64_t at = r * to.inputs() + i / used * to.shard_k + i % used;
      const auto b = static_cast<std::size_t>(at);
      const float value =
          type == WeightType::kE4m3
              ? e4m3_to_float(bytes[b])
              : bf16_to_float(static_cast<bf16>(bytes[2 * b] | bytes[2 * b + 1] << 8));
      ASSERT_EQ(value, packed_value(host, r, i)) << r << " " << i;
    }
  }
  if (type == WeightType::kE4m3) {
    EXPECT_EQ(scale.values(),
              std::vector<float>(host.row_scale.begin(), host.row_scale.begin() + rows));
  }
  EXPECT_TRUE(data.guard_is_intact());
}

TEST(WeightRowsCuda, GivesTheCodesAndScalesOfTheCpuLoader) {
  for (const WeightType type : {WeightType::kBf16, WeightType::kE4m3}) {
    for (const bool common : {false, true}) {
      compare_weights(type, 3, 172, 8, common);
      compare_weights(type, 2, 128, 1, common);
      compare_weights(type, 5, 1000, 8, common);
      compare_weights(type, 1, 1, 1, common);
    }
  }
}

TEST(DummyRowsCuda, EqualsTheDummyWeights) {
  const DummyWeights source;
  for (const int cols : {1, 6, 64, 2048}) {
    const DeviceArray<float> out(static_cast<std::size_t>(3 * cols));
    dummy_rows_cuda(nullptr, {.out = out.get(),
                              .rows = 3,
                              .cols = cols,
                              .first_row = 70000,
                              .key = fnv1a("model.layers.1.mlp.up_proj.weight")});
    std::vector<float> expected(static_cast<std::size_t>(3 * cols));
    for (int r = 0; r < 3; ++r) {
      source.read_row("model.layers.1.mlp.up_proj.weight", 70000 + r,
                      std::span(expected).subspan(static_cast<std::size_t>(r * cols),
                                                  static_cast<std::size_t>(cols)));
    }
    EXPECT_EQ(out.values(), expected);
  }
}

TEST(EmbedCuda, CopiesTheRowsOfTheTokens) {
  SplitMix64 random(16);
  const auto table = random_bf16(random, 10 * 128, 1);
  const DeviceArray<bf16> device_table(table);
  const DeviceArray<TokenId> ids(std::vector<TokenId>{9, 0, 3});
  const DeviceArray<bf16> out(3 * 100);
  embed_cuda(nullptr, {.out = out.get(),
                       .tokens = {.ids = ids.get()},
                       .table = device_table.get(),
                       .rows = 3,
                       .cols = 100,
                       .ld = 128});
  std::vector<bf16> expected;
  for (const int id : {9, 0, 3}) {
    expected.insert(expected.end(), table.begin() + id * 128, table.begin() + id * 128 + 100);
  }
  EXPECT_EQ(out.values(), expected);
  EXPECT_TRUE(out.guard_is_intact());
}

/// Rows 1 and 2 wait for what the step before chose; where that was not finite, token 0 stands in.
TEST(EmbedCuda, TakesTokensThatTheStepBeforeChose) {
  SplitMix64 random(17);
  const auto table = random_bf16(random, 10 * 8, 1);
  const DeviceArray<bf16> device_table(table);
  const DeviceArray<TokenId> ids(std::vector<TokenId>{9, -77, -77});
  const DeviceArray<int> from(std::vector<int>{-1, 1, 0});
  const DeviceArray<LogitAnswer> before(
      std::vector<LogitAnswer>{{.chosen = 1 << 30, .finite = 0}, {.chosen = 4, .finite = 1}});
  const StepTokens tokens{.ids = ids.get(), .from = from.get(), .before = before.get()};
  const DeviceArray<bf16> out(3 * 8);
  embed_cuda(nullptr, {.out = out.get(),
                       .tokens = tokens,
                       .table = device_table.get(),
                       .rows = 3,
                       .cols = 8,
                       .ld = 8});
  const DeviceArray<float> part(3 * 8);
  embed_part_cuda(nullptr, {.out = part.get(),
                            .tokens = tokens,
                            .table = device_table.get() + 4 * 8,
                            .first = 4,
                            .count = 6,
                            .rows = 3,
                            .cols = 8,
                            .ld = 8});
  std::vector<bf16> expected;
  std::vector<float> expected_part;
  for (const int id : {9, 4, 0}) {
    for (int i = 0; i < 8; ++i) {
      const bf16 value = table[static_cast<std::size_t>(id * 8 + i)];
      expected.push_back(value);
      expected_part.push_back(id >= 4 ? bf16_to_float(value) : 0.0F);
    }
  }
  EXPECT_EQ(out.values(), expected);
  EXPECT_EQ(part.values(), expected_part);
}

}  // namespace
}  // namespace assay::engine
