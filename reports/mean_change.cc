#include "reports/mean_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::reports {
namespace {

constexpr std::size_t kMaxFlipped = 10'000;  // the sum of more is as good as normal

/// Of the mean, with the degrees of freedom by Welch and Satterthwaite.
StandardError mean_error(std::span<const TaskChange> tasks) {
  struct Part {
    double error = 0;
    std::int64_t clusters = 0;  // the fewest
  };
  std::map<std::string, Part> by_data;
  for (const TaskChange& task : tasks) {
    Part& part = by_data[task.data];
    part.clusters =
        part.clusters == 0 ? task.error.clusters : std::min(part.clusters, task.error.clusters);
    part.error += task.error.value / static_cast<double>(tasks.size());
  }
  double variance = 0;
  double fourth = 0;
  std::int64_t fewest = 0;
  for (const auto& [data, part] : by_data) {
    if (part.clusters < 2) return {0, part.clusters};  // the error of that task is unknown
    const double square = part.error * part.error;
    variance += square;
    fourth += square * square / static_cast<double>(part.clusters - 1);
    fewest = fewest == 0 ? part.clusters : std::min(fewest, part.clusters);
  }
  if (fourth == 0) return {0, fewest};
  return {std::sqrt(variance), 1 + static_cast<std::int64_t>(variance * variance / fourth)};
}

}  // namespace

TaskChange task_change(const MetricResult& before, const MetricResult& after,
                       const MetricFrame& frame, const std::string& data) {
  const Estimate change = difference(after.estimate, before.estimate);
  std::vector<std::uint32_t> clusters;
  for (const MetricItem& item : frame.items) clusters.push_back(item.cluster);
  TaskChange out{.data = data,
                 .baseline = before.estimate.value,
                 .candidate = after.estimate.value,
                 .error = standard_error(change, clusters)};
  // Clusters have dense numbers, and items come in the order of their row keys.
  std::vector<std::pair<std::int64_t, double>> sums;
  for (std::size_t i = 0; i < frame.items.size(); ++i) {
    const MetricItem& item = frame.items[i];
    if (item.cluster >= sums.size()) sums.resize(item.cluster + 1, {-1, 0.0});
    if (sums[item.cluster].first < 0) sums[item.cluster].first = item.item;
    sums[item.cluster].second += change.share[i];
  }
  // Gains and losses of one observation that cancel leave rounding only.
  constexpr double kNothing = 1e-15;
  for (const auto& sum : sums) {
    if (std::abs(sum.second) > kNothing) out.moved.push_back(sum);
  }
  return out;
}

std::optional<MetricComparison> mean_change(std::span<const TaskChange> tasks,
                                            const CompareOptions& options) {
  if (tasks.size() < 2) return std::nullopt;
  const auto count = static_cast<double>(tasks.size());
  MetricComparison out{.metric = fmt::format("mean of {} tasks", tasks.size())};
  std::map<std::int64_t, double> moved;
  for (const TaskChange& task : tasks) {
    out.baseline += task.baseline / count;
    out.candidate += task.candidate / count;
    for (const auto& [observation, share] : task.moved) moved[observation] += share / count;
  }
  out.difference = out.candidate - out.baseline;
  const StandardError error = mean_error(tasks);
  out.standard_error = error.value;
  out.interval = t_interval(out.difference, error, 1 - options.alpha);
  out.detectable = minimum_detectable(error.value, options.alpha, options.power);
  if (moved.size() > kMaxFlipped) {
    out.p = t_test_p(out.difference, error);
    out.method = "Welch t";
  } else {
    std::vector<double> values;
    for (const auto& [observation, share] : moved) values.push_back(share);
    out.p = sign_flip_p(values, options.draws, 0);
    out.method = "sign flips";
  }
  out.p_adjusted = out.p;
  return out;
}

}  // namespace assay::reports
