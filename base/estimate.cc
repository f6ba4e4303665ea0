#include "base/estimate.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/special_functions.h"

namespace assay {

namespace {

struct GroupSums {
  double value = 0;
  double count = 0;
  std::vector<std::uint32_t> clusters;
};

std::vector<GroupSums> sum_groups(std::span<const ItemValue> items, bool one_group) {
  std::vector<GroupSums> groups;
  for (const ItemValue& item : items) {
    const std::size_t group = one_group ? 0 : item.group;
    if (group >= groups.size()) groups.resize(group + 1);
    groups[group].value += item.value;
    groups[group].count += item.count;
    groups[group].clusters.push_back(item.cluster);
  }
  for (GroupSums& group : groups) {
    std::sort(group.clusters.begin(), group.clusters.end());
    group.clusters.erase(std::unique(group.clusters.begin(), group.clusters.end()),
                         group.clusters.end());
  }
  return groups;
}

Estimate grouped_estimate(std::span<const ItemValue> items, bool one_group) {
  const std::vector<GroupSums> groups = sum_groups(items, one_group);
  const auto used = static_cast<double>(std::count_if(
      groups.begin(), groups.end(), [](const GroupSums& group) { return group.count > 0; }));
  Estimate out;
  out.items = static_cast<std::int64_t>(items.size());
  for (const GroupSums& group : groups) {
    if (group.count > 0) out.value += group.value / group.count / used;
  }
  // Groups of one cluster each say nothing of their own error: they are then the sample, and what
  // counts is how far their means are from the whole's.
  const bool between = used > 1 && std::all_of(groups.begin(), groups.end(), [](const auto& group) {
                         return group.clusters.size() <= 1;
                       });
  out.influence.reserve(items.size());
  out.share.reserve(items.size());
  for (const ItemValue& item : items) {
    const GroupSums& group = groups[one_group ? 0 : item.group];
    if (group.count <= 0) {
      out.influence.push_back(0);
      out.share.push_back(0);
      continue;
    }
    const auto clusters = between ? used : static_cast<double>(group.clusters.size());
    const double correction = clusters > 1 ? std::sqrt(clusters / (clusters - 1)) : 1;
    const double centre = between ? out.value : group.value / group.count;
    const double rest = item.value - item.count * centre;
    out.influence.push_back(rest / group.count / used * correction);
    out.share.push_back(item.value / group.count / used);
  }
  return out;
}

}  // namespace

Estimate mean_estimate(std::span<const ItemValue> items) { return grouped_estimate(items, true); }
Estimate macro_estimate(std::span<const ItemValue> items) { return grouped_estimate(items, false); }

Estimate mean_of_estimates(std::span<const Estimate> parts) {
  ASSAY_CHECK(!parts.empty(), "a mean of no metrics");
  Estimate out = parts.front();
  for (const Estimate& part : parts.subspan(1)) {
    ASSAY_CHECK(part.influence.size() == out.influence.size(), "metrics of different items");
    out.value += part.value;
    for (std::size_t i = 0; i < out.influence.size(); ++i) {
      out.influence[i] += part.influence[i];
      out.share[i] += part.share[i];
    }
  }
  const auto count = static_cast<double>(parts.size());
  out.value /= count;
  for (double& value : out.influence) value /= count;
  for (double& value : out.share) value /= count;
  return out;
}

Estimate difference(const Estimate& candidate, const Estimate& baseline) {
  ASSAY_CHECK(candidate.influence.size() == baseline.influence.size(), "runs of different items");
  Estimate out = candidate;
  out.value -= baseline.value;
  for (std::size_t i = 0; i < out.influence.size(); ++i) {
    out.influence[i] -= baseline.influence[i];
    out.share[i] -= baseline.share[i];
  }
  return out;
}

StandardError standard_error(const Estimate& estimate, std::span<const std::uint32_t> clusters) {
  ASSAY_CHECK(clusters.size() == estimate.influence.size(), "one cluster for each item");
  std::vector<double> sums;
  std::vector<bool> seen;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    if (clusters[i] >= sums.size()) {
      sums.resize(clusters[i] + 1);
      seen.resize(clusters[i] + 1);
    }
    sums[clusters[i]] += estimate.influence[i];
    seen[clusters[i]] = true;
  }
  double variance = 0;
  for (const double sum : sums) variance += sum * sum;
  return {std::sqrt(variance), std::count(seen.begin(), seen.end(), true)};
}

Interval t_interval(double value, const StandardError& error, double confidence) {
  if (error.clusters < 2) return {-1, 1};
  const double t = t_quantile(0.5 + confidence / 2, static_cast<double>(error.clusters - 1));
  return {value - t * error.value, value + t * error.value};
}

double plain_standard_error(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  if (n < 2) return 0;
  double mean = 0;
  for (const double value : values) mean += value / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1) / n);
}

MeanInterval mean_interval(std::span<const double> values, double confidence) {
  MeanInterval out;
  for (const double value : values) out.mean += value / static_cast<double>(values.size());
  const StandardError error{plain_standard_error(values), std::ssize(values)};
  if (values.size() > 1) out.interval = t_interval(out.mean, error, confidence);
  return out;
}

Interval wilson_interval(double successes, double n, double confidence) {
  if (n <= 0) return {0, 1};
  const double z = normal_quantile(0.5 + confidence / 2);
  const double p = successes / n;
  const double scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // At the ends the formula gives exactly 0 and 1, but for rounding.
  return {successes > 0 ? std::max(0.0, centre - half) : 0.0,
          successes < n ? std::min(1.0, centre + half) : 1.0};
}

namespace {

bool is_plain_share(std::span<const ItemValue> items) {
  std::vector<bool> seen;
  return std::all_of(items.begin(), items.end(), [&](const ItemValue& item) {
    if (item.cluster >= seen.size()) seen.resize(item.cluster + 1);
    if (seen[item.cluster]) return false;
    seen[item.cluster] = true;
    return item.count == 1 && (item.value == 0 || item.value == 1);
  });
}

}  // namespace

Interval metric_interval(const Estimate& estimate, std::span<const ItemValue> items,
                         bool plain_mean, double confidence) {
  if (plain_mean && is_plain_share(items)) {
    const auto n = static_cast<double>(items.size());
    return wilson_interval(estimate.value * n, n, confidence);
  }
  std::vector<std::uint32_t> clusters;
  clusters.reserve(items.size());
  for (const ItemValue& item : items) clusters.push_back(item.cluster);
  const Interval interval =
      t_interval(estimate.value, standard_error(estimate, clusters), confidence);
  return {std::max(0.0, interval.low), std::min(1.0, interval.high)};
}

}  // namespace assay
