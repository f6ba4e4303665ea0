#include "suites/bench/steady.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/special_functions.h"

namespace assay::suites {
namespace {

constexpr std::size_t kFewest = 4;  // values behind any statement

int sign_of(double value) { return (value > 0 ? 1 : 0) - (value < 0 ? 1 : 0); }

/// Variance of Kendall's S under no trend, ties accounted for.
double variance_of_s(std::vector<double> values) {
  const auto term = [](double n) { return n * (n - 1) * (2 * n + 5); };
  double out = term(static_cast<double>(values.size()));
  std::sort(values.begin(), values.end());
  for (auto at = values.begin(); at != values.end();) {
    const auto end = std::upper_bound(at, values.end(), *at);
    out -= term(static_cast<double>(end - at));
    at = end;
  }
  return out / 18;
}

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::size_t warm_up_length(std::span<const double> values) {
  const std::size_t n = values.size();
  std::size_t best = 0;
  double least = INFINITY;
  // Sums over the tail, from the end.
  double sum = 0;
  double squares = 0;
  const double reference = n == 0 ? 0 : values[n - 1];  // keeps the sums small
  for (std::size_t i = n; i-- > 0;) {
    const double value = values[i] - reference;
    sum += value;
    squares += value * value;
    const auto kept = static_cast<double>(n - i);
    if (i > n / 2 || n - i < kFewest) continue;
    const double error = std::max(0.0, squares - sum * sum / kept) / (kept * kept);
    if (error <= least) {
      least = error;
      best = i;
    }
  }
  return best;
}

Trend trend_of(std::span<const double> values) {
  Trend out;
  const std::size_t n = values.size();
  if (n < kFewest) return out;
  double s = 0;
  std::vector<double> slopes;
  slopes.reserve(n * (n - 1) / 2);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = i + 1; k < n; ++k) {
      s += sign_of(values[k] - values[i]);
      slopes.push_back((values[k] - values[i]) / static_cast<double>(k - i));
    }
  }
  std::vector<double> copy(values.begin(), values.end());
  const double variance = variance_of_s(copy);
  if (variance > 0 && s != 0) {
    const double z = (std::abs(s) - 1) / std::sqrt(variance);
    out.p = 2 * (1 - normal_cdf(z));
  }
  const double middle = median_of(copy);
  if (middle != 0) out.change = median_of(slopes) * static_cast<double>(n - 1) / middle;
  return out;
}

bool is_steady(std::span<const double> values, double tolerance) {
  const std::size_t warm_up = warm_up_length(values);
  if (values.size() < 2 * kFewest || warm_up >= values.size() / 2) return false;
  const Trend trend = trend_of(values.subspan(warm_up));
  return trend.p >= 0.01 || std::abs(trend.change) <= tolerance;
}

}  // namespace assay::suites
