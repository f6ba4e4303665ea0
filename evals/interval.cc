#include "evals/interval.h"

#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay::evals {
namespace {

/// Dense numbers from 0, in order of first appearance.
class Numbers {
 public:
  std::uint32_t of(std::string_view name) {
    return numbers_.emplace(name, static_cast<std::uint32_t>(numbers_.size())).first->second;
  }

 private:
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

}  // namespace

std::optional<Interval> interval95(const MetricValue& metric) {
  if (metric.items.empty()) return std::nullopt;
  Numbers groups;
  Numbers clusters;
  std::vector<assay::ItemValue> items;
  items.reserve(metric.items.size());
  for (const ItemValue& item : metric.items) {
    items.push_back({item.value, item.count, groups.of(item.group), clusters.of(item.cluster)});
  }
  const bool macro = metric.kind == MetricKind::kMacro;
  const Estimate estimate = macro ? macro_estimate(items) : mean_estimate(items);
  return metric_interval(estimate, items, !macro, 0.95);
}

}  // namespace assay::evals
