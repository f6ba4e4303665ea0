// How far the mean of several tasks changed from one run to another: a small loss everywhere shows
// in no task and in their mean. Every task counts the same. Pure; any thread.
// Sources: Fisher 1935 for the test by flipped signs; Welch 1947 for the degrees of freedom.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "reports/compare.h"

namespace assay::reports {

/// The headline metric of one task in both runs.
struct TaskChange {
  std::string data;  // digest of its data set
  double baseline = 0;
  double candidate = 0;
  StandardError error;  // of candidate - baseline
  /// What each independent observation adds to the difference, without those that add nothing. An
  /// observation is named by the lowest row key of its items, so that it is the same in two tasks
  /// of the same items.
  std::vector<std::pair<std::int64_t, double>> moved;
};
/// `before` and `after` are of the items of `frame`.
TaskChange task_change(const MetricResult& before, const MetricResult& after,
                       const MetricFrame& frame, const std::string& data);

/// The change of the mean; nothing for fewer than two tasks. Tasks are taken as independent, but
/// those of one data set as moving together, which gives the largest error. p is that of flipped
/// signs over all observations that moved, exact up to 16 of them; above 10,000 that of Welch's t.
/// `p_adjusted` is still `p`.
std::optional<MetricComparison> mean_change(std::span<const TaskChange> tasks,
                                            const CompareOptions& options);

}  // namespace assay::reports
