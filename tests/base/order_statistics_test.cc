#include "base/order_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace assay {
namespace {

std::vector<double> one_to(int n) {
  std::vector<double> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), 1.0);
  return out;
}

double binomial_by_sum(std::int64_t k, std::int64_t n, double p) {
  double term = 1;
  for (std::int64_t i = 0; i < n; ++i) term *= 1 - p;
  double sum = 0;
  for (std::int64_t i = 0; i <= k; ++i) {
    sum += term;
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * p / (1 - p);
  }
  return sum;
}

TEST(OrderStatistics, BinomialAgreesWithItsSum) {
  for (const double p : {0.01, 0.1, 0.5, 0.9}) {
    for (const std::int64_t n : {1, 2, 10, 60}) {
      for (std::int64_t k = 0; k <= n; ++k) {
        EXPECT_NEAR(binomial_cdf(k, n, p), binomial_by_sum(k, n, p), 1e-12) << p << n << k;
      }
    }
  }
  EXPECT_EQ(binomial_cdf(-1, 5, 0.5), 0);
}

TEST(OrderStatistics, PercentileIsTheInverseCdf) {
  const auto values = one_to(10);
  EXPECT_EQ(percentile(values, 0.5), 5);
  EXPECT_EQ(percentile(values, 0.51), 6);
  EXPECT_EQ(percentile(values, 0.9), 9);
  EXPECT_EQ(percentile(values, 0.99), 10);
  EXPECT_EQ(percentile(values, 1e-9), 1);
  EXPECT_EQ(percentile(one_to(100), 0.99), 99);
  EXPECT_EQ(percentile(one_to(1000), 0.999), 999);
  EXPECT_EQ(percentile(one_to(1), 0.5), 1);
}

TEST(OrderStatistics, AFiniteUpperBoundNeedsAsManyValuesAsPublished) {
  for (const auto& [p, n] :
       std::vector<std::pair<double, int>>{{0.9, 36}, {0.95, 72}, {0.99, 368}, {0.999, 3688}}) {
    EXPECT_EQ(values_for_upper_bound(p, 0.95), n);
    EXPECT_FALSE(percentile_interval(one_to(n - 1), p, 0.95).high);
    EXPECT_EQ(percentile_interval(one_to(n), p, 0.95).high, n);
  }
  EXPECT_FALSE(percentile_interval({}, 0.5, 0.95).low);
}

// Conover 1999, table A3 and its examples: n = 16 for the median at 95 %: ranks 4 and 13.
TEST(OrderStatistics, MedianIntervalHasTheTabulatedRanks) {
  const PercentileInterval interval = percentile_interval(one_to(16), 0.5, 0.95);
  EXPECT_EQ(interval.low, 4);
  EXPECT_EQ(interval.high, 13);
}

// Independent values: the interval covers the true percentile at least as often as it says.
TEST(OrderStatistics, IntervalsCoverTheTruePercentile) {
  SplitMix64 random(7);
  for (const double p : {0.5, 0.9, 0.99}) {
    int covered = 0;
    constexpr int kTrials = 2000;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<double> values(500);
      for (double& value : values) value = random.uniform();
      std::sort(values.begin(), values.end());
      const PercentileInterval interval = percentile_interval(values, p, 0.95);
      ASSERT_TRUE(interval.low && interval.high);
      covered += *interval.low <= p && p <= *interval.high ? 1 : 0;
    }
    EXPECT_GE(covered, 0.94 * kTrials) << p;
    EXPECT_LE(covered, 0.985 * kTrials) << p;
  }
}

// The counts that MLPerf's inference rules print for its percentiles at 99 % confidence.
TEST(OrderStatistics, EarlyStoppingHasTheRulesCounts) {
  EXPECT_EQ(early_stopping_passes(0, 0.99, 0.99), 459);
  EXPECT_EQ(early_stopping_passes(0, 0.90, 0.99), 44);
  EXPECT_EQ(early_stopping_passes(1, 0.99, 0.99) + 1, 662);
  EXPECT_EQ(early_stopping_passes(1, 0.90, 0.99) + 1, 64);
  for (const std::int64_t over : {1, 5, 40}) {
    const std::int64_t h = early_stopping_passes(over, 0.9, 0.99);
    EXPECT_LE(binomial_cdf(over, h + over, 0.1), 0.01);
    EXPECT_GT(binomial_cdf(over, h - 1 + over, 0.1), 0.01);
  }
}

TEST(OrderStatistics, EarlyStoppingDiscardsWhatTheRuleAllows) {
  EXPECT_FALSE(early_stopping_estimate(one_to(63), 0.9, 0.99));
  EXPECT_EQ(early_stopping_estimate(one_to(64), 0.9, 0.99), 64);
  // Far more values: the estimate comes close to the percentile, from above.
  const double estimate = early_stopping_estimate(one_to(100000), 0.9, 0.99).value_or(0);
  EXPECT_GT(estimate, 90000);
  EXPECT_LT(estimate, 90400);
}

}  // namespace
}  // namespace assay
