#include "engine/tensor_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
TensorStats stats_of(DType dtype, const std::vector<T>& values) {
  return tensor_stats(
      {"t", dtype, {static_cast<std::int64_t>(values.size())}, std::as_bytes(std::span(values))});
}

TEST(TensorStats, EveryFloatTypeIsRead) {
  const TensorStats f32 = stats_of<float>(
      DType::kF32,
      {3, -4, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()});
  EXPECT_EQ(f32.amax, 4);
  EXPECT_EQ(f32.rms, std::sqrt(12.5));
  EXPECT_EQ(f32.not_finite, 2);
  // 1, -2, NaN, infinity
  EXPECT_EQ(stats_of<std::uint16_t>(DType::kBf16, {0x3f80, 0xc000, 0x7fc0, 0x7f80}).amax, 2);
  EXPECT_EQ(stats_of<std::uint16_t>(DType::kBf16, {0x3f80, 0xc000, 0x7fc0, 0x7f80}).not_finite, 2);
  // 1, -65504, the least subnormal, NaN
  const auto f16 = stats_of<std::uint16_t>(DType::kF16, {0x3c00, 0xfbff, 0x0001, 0x7e00});
  EXPECT_EQ(f16.amax, 65504);
  EXPECT_EQ(f16.not_finite, 1);
  EXPECT_EQ(stats_of<std::uint16_t>(DType::kF16, {0x8001}).amax, std::ldexp(1.0, -24));
}

TEST(TensorStats, SuspiciousTensorsAreNamed) {
  const std::vector<TensorStats> stats = {{"a", 1, 0.1, 0},   {"b", 1, 0.1, 0},
                                          {"nan", 1, 0.1, 3}, {"big", 5e4, 0.1, 0},
                                          {"zero", 0, 0, 0},  {"odd", 900, 50, 0}};
  EXPECT_THAT(suspicious(stats),
              ElementsAre(HasSubstr("nan: 3 values"), HasSubstr("big: largest value 5e+04"),
                          HasSubstr("zero: largest value 0"), HasSubstr("odd: RMS 50")));
}

TEST(TensorStats, TheSmallModelsAreClean) {
  ASSAY_SHARED_OR_SKIP(models, "models");
  for (const char* name : {"stories260K", "aidreams260K"}) {
    const auto stats = checkpoint_stats(Checkpoint::open(models / name));
    EXPECT_THAT(suspicious(stats), ElementsAre());
    EXPECT_GT(stats.front().rms, 0);
  }
}

}  // namespace
}  // namespace assay::engine
