#include "evals/interval.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

namespace assay::evals {
namespace {

constexpr double kZ = 1.959963984540054;  // 97.5 % point of the normal distribution

Interval wilson(double successes, double n) {
  const double p = successes / n;
  const double z2 = kZ * kZ;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // At the ends the formula gives exactly 0 and 1, but for rounding.
  return {.low = successes > 0 ? std::max(0.0, centre - half) : 0.0,
          .high = successes < n ? std::min(1.0, centre + half) : 1.0};
}

/// Squared error of sum(value) / sum(count) with clusters; nothing for fewer than two.
std::optional<double> clustered_variance(const std::vector<const ItemValue*>& items) {
  double value = 0;
  double count = 0;
  for (const ItemValue* item : items) {
    value += item->value;
    count += item->count;
  }
  std::map<std::string_view, double> deviations;
  for (const ItemValue* item : items) {
    deviations[item->cluster] += item->value - item->count * value / count;
  }
  const auto clusters = static_cast<double>(deviations.size());
  if (clusters < 2) return std::nullopt;
  double sum = 0;
  for (const auto& [name, deviation] : deviations) sum += deviation * deviation;
  return sum / (count * count) * clusters / (clusters - 1);
}

Interval normal(double centre, double variance) {
  const double half = kZ * std::sqrt(variance);
  return {.low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

bool is_plain_share(const MetricValue& metric) {
  std::map<std::string_view, int> clusters;
  return std::ranges::all_of(metric.items, [&](const ItemValue& item) {
    return item.count == 1 && (item.value == 0 || item.value == 1) && ++clusters[item.cluster] == 1;
  });
}

}  // namespace

std::optional<Interval> interval95(const MetricValue& metric) {
  if (metric.items.empty()) return std::nullopt;
  if (metric.kind == MetricKind::kMacro) {
    std::map<std::string_view, std::vector<const ItemValue*>> groups;
    for (const ItemValue& item : metric.items) groups[item.group].push_back(&item);
    double sum = 0;
    for (const auto& [name, items] : groups) {
      const std::optional<double> variance = clustered_variance(items);
      if (!variance) return std::nullopt;
      sum += *variance;
    }
    const auto count = static_cast<double>(groups.size());
    return normal(metric.value, sum / (count * count));
  }
  if (is_plain_share(metric)) return wilson(metric.count, metric.of);
  std::vector<const ItemValue*> items;
  for (const ItemValue& item : metric.items) items.push_back(&item);
  const std::optional<double> variance = clustered_variance(items);
  return variance ? std::optional(normal(metric.value, *variance)) : std::nullopt;
}

}  // namespace assay::evals
