// Estimates beyond base/estimate.h. Pure; any thread; no call draws random numbers without a seed.
// Sources: Chen et al. 2021, eq. 1 for pass@k; Efron 1979 for the bootstrap.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/estimate.h"

namespace assay::reports {

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
