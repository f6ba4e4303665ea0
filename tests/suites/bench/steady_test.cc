#include "suites/bench/steady.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace assay::suites {
namespace {

std::vector<double> noisy(int count, double level, double noise, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(level * (1 + noise * (random.uniform() - 0.5)));
  return out;
}

TEST(Steady, AColdStartIsLeftOut) {
  std::vector<double> values = noisy(40, 100, 0.02, 1);
  for (int i = 0; i < 6; ++i) values[static_cast<std::size_t>(i)] *= 1 + 0.5 * std::exp(-i / 2.0);
  const std::size_t warm_up = warm_up_length(values);
  EXPECT_GE(warm_up, 4);
  EXPECT_LE(warm_up, 14);
  EXPECT_TRUE(is_steady(values, 0.05));
}

TEST(Steady, AConstantSeriesHasNoWarmUp) {
  EXPECT_EQ(warm_up_length(std::vector<double>(20, 3.0)), 0);
  EXPECT_TRUE(is_steady(std::vector<double>(20, 3.0), 0.05));
}

TEST(Steady, AGrowingSeriesIsNotSteady) {
  std::vector<double> values = noisy(40, 100, 0.02, 2);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= 1 + 0.02 * static_cast<double>(i);
  EXPECT_FALSE(is_steady(values, 0.05));
  EXPECT_NEAR(trend_of(values).change, 0.56, 0.1);
}

TEST(Steady, TooFewValuesAreNoStatement) {
  EXPECT_FALSE(is_steady(std::vector<double>(5, 1.0), 0.05));
  EXPECT_EQ(trend_of(std::vector<double>{1, 2, 3}).p, 1);
}

// Without a trend the test says "trend" about as often as its level.
TEST(Steady, TheTrendTestKeepsItsLevel) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    found += trend_of(noisy(20, 100, 0.1, seed + 100)).p < 0.05 ? 1 : 0;
  }
  EXPECT_GT(found, 50);
  EXPECT_LT(found, 140);
}

}  // namespace
}  // namespace assay::suites
