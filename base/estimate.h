// Means of points over items, with errors that account for groups and clusters, and their
// intervals. Pure; any thread. Every interval of a metric comes from here, whoever reports it.
// Sources: Miller 2024 (arXiv 2411.00640) for clustered and paired errors; Wilson 1927.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace assay {

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
  std::vector<double> share;  // what each item adds to `value`, which is their sum
};

/// sum(value) / sum(count). The small-sample correction is C / (C - 1) for C clusters.
Estimate mean_estimate(std::span<const ItemValue> items);
/// Mean over groups of the group's mean. Its error is that of the groups' means; where each group
/// is one cluster, the spread of the means between groups.
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
/// The mean of independent values with its t interval; one value has none. REQUIRES: not empty.
struct MeanInterval {
  double mean = 0;
  std::optional<Interval> interval;
};
MeanInterval mean_interval(std::span<const double> values, double confidence);
/// For `successes` of n independent trials; n = 0 gives [0, 1].
Interval wilson_interval(double successes, double n, double confidence);
/// The interval of a metric of `items`, cut to [0, 1]: Wilson's for a mean whose every item is 0 or
/// 1 of 1 point and alone in its cluster (`plain_mean` says that it is a mean), else by t.
Interval metric_interval(const Estimate& estimate, std::span<const ItemValue> items,
                         bool plain_mean, double confidence);

}  // namespace assay
