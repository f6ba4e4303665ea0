#include "base/order_statistics.h"

#include <cmath>

#include "base/check.h"
#include "base/special_functions.h"

namespace assay {
namespace {

/// Smallest value in [low, high] for which `holds`; high when none before it does.
template <typename Holds>
std::int64_t first_that(std::int64_t low, std::int64_t high, Holds holds) {
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (holds(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

double binomial_cdf(std::int64_t k, std::int64_t n, double p) {
  ASSAY_CHECK(p > 0 && p < 1 && n >= 0, "binomial out of range");
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incomplete_beta(static_cast<double>(n - k), static_cast<double>(k + 1), 1 - p);
}

double percentile(std::span<const double> sorted, double p) {
  ASSAY_CHECK(!sorted.empty() && p > 0 && p <= 1, "percentile out of range");
  const auto count = static_cast<double>(sorted.size());
  // 0.9 * 10 must be rank 9 although 0.9 has no exact form.
  const double rank = std::ceil(p * count - 1e-9 * count);
  const auto index = static_cast<std::size_t>(rank < 1 ? 0 : rank - 1);
  return sorted[index < sorted.size() ? index : sorted.size() - 1];
}

PercentileInterval percentile_interval(std::span<const double> sorted, double p,
                                       double confidence) {
  PercentileInterval out;
  const std::int64_t n = std::ssize(sorted);
  const double miss = (1 - confidence) / 2;
  if (n == 0) return out;
  // The number of values at or below the true percentile is binomial(n, p). Rank r (from 1) is
  // above it with probability cdf(r - 1), and below it with probability 1 - cdf(r - 1).
  const std::int64_t above =
      first_that(1, n + 1, [&](std::int64_t rank) { return binomial_cdf(rank - 1, n, p) > miss; });
  if (above > 1) out.low = sorted[static_cast<std::size_t>(above - 2)];
  const std::int64_t high = first_that(
      1, n + 1, [&](std::int64_t rank) { return binomial_cdf(rank - 1, n, p) >= 1 - miss; });
  if (high <= n) out.high = sorted[static_cast<std::size_t>(high - 1)];
  return out;
}

std::int64_t values_for_upper_bound(double p, double confidence) {
  return static_cast<std::int64_t>(std::ceil(std::log((1 - confidence) / 2) / std::log(p)));
}

std::int64_t early_stopping_passes(std::int64_t over, double p, double confidence) {
  const auto passes = [&](std::int64_t within) {
    return within > 0 && binomial_cdf(over, within + over, 1 - p) <= 1 - confidence;
  };
  std::int64_t high = 1;
  while (!passes(high)) high *= 2;
  return first_that(high / 2, high, passes);
}

std::optional<double> early_stopping_estimate(std::span<const double> sorted, double p,
                                              double confidence) {
  const std::int64_t n = std::ssize(sorted);
  const auto enough = [&](std::int64_t over) {
    return n >= early_stopping_passes(over, p, confidence) + over;
  };
  if (!enough(1)) return std::nullopt;
  const std::int64_t first_bad = first_that(2, n + 1, [&](std::int64_t t) { return !enough(t); });
  return sorted[static_cast<std::size_t>(n - (first_bad - 1))];
}

}  // namespace assay
