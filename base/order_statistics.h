// Percentiles that really happened, and what a sample says about them without any assumption on
// the distribution. Pure; any thread.
// Sources: order-statistic intervals as in David and Nagaraja 2003, section 7.1; early stopping as
// in MLPerf's inference rules and loadgen/early_stopping.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace assay {

/// P(X <= k) of the binomial(n, p). REQUIRES: 0 < p < 1, n >= 0.
double binomial_cdf(std::int64_t k, std::int64_t n, double p);

/// Inverse CDF: the smallest value of which at least the share `p` of all are no larger.
/// REQUIRES: `sorted` ascending and not empty, 0 < p <= 1.
double percentile(std::span<const double> sorted, double p);

/// Bounds of the true percentile; a side that the sample is too small for is absent.
struct PercentileInterval {
  std::optional<double> low;
  std::optional<double> high;
};
/// Two-sided, each side missed with probability at most (1 - confidence) / 2, for independent
/// values. REQUIRES: `sorted` ascending.
PercentileInterval percentile_interval(std::span<const double> sorted, double p, double confidence);

/// Values needed for a finite upper bound: 36 for p90, 72 for p95, 368 for p99 at 95 %.
std::int64_t values_for_upper_bound(double p, double confidence);

/// The fewest values within a limit that show, with the given confidence, that the share `p` of
/// all is within it, when `over` values were not. 459 for p99 and none over at 99 %.
std::int64_t early_stopping_passes(std::int64_t over, double p, double confidence);

/// LoadGen's estimate of a percentile from a short run: as many of the largest values are
/// discarded as the rule above allows. Absent when there are too few values.
/// REQUIRES: `sorted` ascending.
std::optional<double> early_stopping_estimate(std::span<const double> sorted, double p,
                                              double confidence);

}  // namespace assay
