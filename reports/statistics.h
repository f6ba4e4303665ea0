// Estimates with their errors. Pure; any thread; no call draws random numbers without a seed.
// Sources: Miller 2024 (arXiv 2411.00640) for clustered and paired errors; Wilson 1927; Chen et al.
// 2021, eq. 1 for pass@k; Efron 1979 for the bootstrap.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace assay::reports {

struct Interval {
  double low = 0;
  double high = 0;
};

/// What one item adds to a metric: `value` of `count` points.
struct ItemValue {
  double value = 0;
  double count = 1;
  std::uint32_t group = 0;    // dense numbers from 0
  std::uint32_t cluster = 0;  // dense numbers from 0; may reach across groups
};

/// A metric with what is needed for its error. `influence[i]` is how much item i moves it, already
/// corrected for small samples, so that the variance is the sum over clusters of squared sums. The
/// difference of two metrics on the same items has the difference of their influences.
struct Estimate {
  double value = 0;
  std::int64_t items = 0;
  std::vector<double> influence;
};

/// sum(value) / sum(count). The small-sample correction is C / (C - 1) for C clusters.
Estimate mean_estimate(std::span<const ItemValue> items);
/// Mean over groups of the group's mean.
Estimate macro_estimate(std::span<const ItemValue> items);
/// Plain mean of metrics on the same items.
Estimate mean_of_estimates(std::span<const Estimate> parts);
/// REQUIRES: the same items in the same order.
Estimate difference(const Estimate& candidate, const Estimate& baseline);

struct StandardError {
  double value = 0;
  std::int64_t clusters = 0;
};
/// Clustered by `clusters[i]`, dense numbers from 0.
StandardError standard_error(const Estimate& estimate, std::span<const std::uint32_t> clusters);
/// value +- t(clusters - 1) * error. With fewer than two clusters the whole range [-1, 1].
Interval t_interval(double value, const StandardError& error, double confidence);

/// s / sqrt(n) with n - 1 in s.
double plain_standard_error(std::span<const double> values);
/// For `successes` of n independent trials; n = 0 gives [0, 1].
Interval wilson_interval(double successes, double n, double confidence);
/// 1 - C(n - c, k) / C(n, k). REQUIRES: 0 <= c <= n, 1 <= k <= n.
double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

struct BootstrapOptions {
  std::int64_t draws = 10000;
  std::uint64_t seed = 0;
  double confidence = 0.95;
};
/// Percentile interval. `statistic` gets how often each of `units` (items or clusters; for paired
/// data one unit holds both runs) was drawn.
Interval bootstrap_interval(std::size_t units, const BootstrapOptions& options,
                            const std::function<double(std::span<const std::uint32_t>)>& statistic);

}  // namespace assay::reports
