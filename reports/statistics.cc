#include "reports/statistics.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace assay::reports {

double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  ASSAY_CHECK(c >= 0 && c <= n && k >= 1 && k <= n, "pass@k out of range");
  if (n - c < k) return 1;
  double miss = 1;
  for (std::int64_t i = n - c + 1; i <= n; ++i) {
    miss *= 1 - static_cast<double>(k) / static_cast<double>(i);
  }
  return 1 - miss;
}

Interval bootstrap_interval(
    std::size_t units, const BootstrapOptions& options,
    const std::function<double(std::span<const std::uint32_t>)>& statistic) {
  ASSAY_CHECK(units > 0 && options.draws > 0, "nothing to resample");
  SplitMix64 random(options.seed);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(options.draws));
  std::vector<std::uint32_t> weights(units);
  for (std::int64_t draw = 0; draw < options.draws; ++draw) {
    std::fill(weights.begin(), weights.end(), 0U);
    for (std::size_t i = 0; i < units; ++i) ++weights[random.below(units)];
    values.push_back(statistic(weights));
  }
  std::sort(values.begin(), values.end());
  const double tail = (1 - options.confidence) / 2;
  const auto at = [&](double p) {
    const double place = p * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(place);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (place - static_cast<double>(low)) * (values[high] - values[low]);
  };
  return {at(tail), at(1 - tail)};
}

}  // namespace assay::reports
