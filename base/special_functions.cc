#include "base/special_functions.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "base/check.h"

namespace assay {

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double normal_quantile(double p) {
  ASSAY_CHECK(p > 0 && p < 1, "probability out of range");
  if (p > 0.5) return -normal_quantile(1 - p);
  // A rough start (Abramowitz and Stegun 26.2.23, error below 4.5e-4), then Halley's step, which
  // triples the number of right digits each time.
  const double t = std::sqrt(-2 * std::log(p));
  double x = -(t - ((0.010328 * t + 0.802853) * t + 2.515517) /
                       (((0.001308 * t + 0.189269) * t + 1.432788) * t + 1));
  for (int i = 0; i < 3; ++i) {
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    const double u = (normal_cdf(x) - p) / density;
    x -= u / (1 + x * u / 2);
  }
  return x;
}

namespace {

/// Continued fraction of the incomplete beta, for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double result = d;
  for (int m = 1; m <= 100000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double step = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      if (std::abs(c) < kTiny) c = kTiny;
      step = d * c;
      result *= step;
    }
    if (std::abs(step - 1) < 1e-16) break;
  }
  return result;
}

/// std::lgamma writes a global; the reentrant form does not.
double log_gamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  ASSAY_CHECK(a > 0 && b > 0 && x >= 0 && x <= 1, "incomplete beta out of range");
  if (x == 0 || x == 1) return x;
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) +
                                b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double t_cdf(double t, double dof) {
  const double tail = 0.5 * incomplete_beta(dof / 2, 0.5, dof / (dof + t * t));
  return t > 0 ? 1 - tail : tail;
}

double t_quantile(double p, double dof) {
  ASSAY_CHECK(p > 0 && p < 1 && dof > 0, "t quantile out of range");
  if (p < 0.5) return -t_quantile(1 - p, dof);
  double low = 0;
  double high = 2;
  while (t_cdf(high, dof) < p && high < 1e300) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = low + (high - low) / 2;
    (t_cdf(middle, dof) < p ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

double fair_binomial_pmf(std::int64_t k, std::int64_t n) {
  if (k < 0 || k > n) return 0;
  const auto real_n = static_cast<double>(n);
  const auto real_k = static_cast<double>(k);
  return std::exp(log_gamma(real_n + 1) - log_gamma(real_k + 1) - log_gamma(real_n - real_k + 1) -
                  real_n * std::numbers::ln2);
}

double fair_binomial_cdf(std::int64_t k, std::int64_t n) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  // Terms shrink by known ratios from the largest one on; no cancellation.
  double term = fair_binomial_pmf(k, n);
  double sum = term;
  for (std::int64_t i = k; i > 0 && term > sum * 1e-18; --i) {
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
    sum += term;
  }
  return sum < 1 ? sum : 1;
}

}  // namespace assay
