#include "reports/hypothesis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/random.h"
#include "base/special_functions.h"

namespace assay::reports {

McNemar mcnemar(std::int64_t wrong_to_right, std::int64_t right_to_wrong) {
  const std::int64_t n = wrong_to_right + right_to_wrong;
  const std::int64_t fewer = std::min(wrong_to_right, right_to_wrong);
  if (n == 0) return {};
  const double exact = std::min(1.0, 2 * fair_binomial_cdf(fewer, n));
  const double mass = fair_binomial_pmf(fewer, n);
  if (wrong_to_right == right_to_wrong) return {1, 1 - mass / 2};
  return {exact, exact - mass};
}

double t_test_p(double value, const StandardError& error) {
  if (value == 0) return 1;
  if (error.clusters < 2) return 1;
  if (error.value <= 0) return 0;
  return std::min(
      1.0, 2 * t_cdf(-std::abs(value / error.value), static_cast<double>(error.clusters - 1)));
}

namespace {

constexpr std::size_t kExactSigns = 16;

/// Sums of values with signs from bits, looked up for eight values at once.
class SignedSums {
 public:
  explicit SignedSums(std::span<const double> values) : tables_((values.size() + 7) / 8) {
    for (std::size_t i = 0; i < tables_.size() * 8; ++i) {
      for (std::size_t signs = 0; signs < 256; ++signs) {
        const double value = i < values.size() ? values[i] : 0;
        tables_[i / 8][signs] += (signs >> (i % 8) & 1) != 0 ? -value : value;
      }
    }
  }

  /// `next` gives 64 signs, for the first values in its lowest bits.
  template <class Next>
  double sum(Next next) const {
    double out = 0;
    std::uint64_t signs = 0;
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      signs = i % 8 == 0 ? next() : signs >> 8;
      out += tables_[i][signs & 255];
    }
    return out;
  }

 private:
  std::vector<std::array<double, 256>> tables_;
};

}  // namespace

double sign_flip_p(std::span<const double> differences, std::int64_t draws, std::uint64_t seed) {
  std::vector<double> values;  // zeros have no sign to flip
  for (const double value : differences) {
    if (value != 0) values.push_back(value);
  }
  if (values.empty()) return 1;
  const double found = std::abs(std::accumulate(values.begin(), values.end(), 0.0));
  const double slack = 1e-12 * found;
  const SignedSums sums(values);
  if (values.size() <= kExactSigns) {
    const std::uint64_t all = std::uint64_t{1} << values.size();
    std::uint64_t extreme = 0;
    for (std::uint64_t signs = 0; signs < all; ++signs) {
      extreme += std::abs(sums.sum([&] { return signs; })) >= found - slack ? 1 : 0;
    }
    return static_cast<double>(extreme) / static_cast<double>(all);
  }
  SplitMix64 random(seed);
  std::int64_t extreme = 1;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    extreme += std::abs(sums.sum([&] { return random(); })) >= found - slack ? 1 : 0;
  }
  return static_cast<double>(extreme) / static_cast<double>(draws + 1);
}

namespace {

std::vector<std::size_t> order_of(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  return order;
}

}  // namespace

std::vector<double> holm(std::span<const double> p) {
  const std::vector<std::size_t> order = order_of(p);
  std::vector<double> out(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double scaled = p[order[i]] * static_cast<double>(p.size() - i);
    largest = std::max(largest, std::min(1.0, scaled));
    out[order[i]] = largest;
  }
  return out;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  const std::vector<std::size_t> order = order_of(p);
  std::vector<double> out(p.size());
  double smallest = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    const double scaled = p[order[i]] * static_cast<double>(p.size()) / static_cast<double>(i + 1);
    smallest = std::min(smallest, scaled);
    out[order[i]] = smallest;
  }
  return out;
}

namespace {

/// P(U <= u) by counting: ways[k] is the number of arrangements with U = k.
double exact_u_cdf(std::size_t n, std::size_t m, std::size_t u) {
  std::vector<std::vector<double>> ways(m + 1);  // for n rows so far, by number of b's
  for (std::size_t j = 0; j <= m; ++j) ways[j].assign(n * m + 1, 0);
  for (std::size_t j = 0; j <= m; ++j) ways[j][0] = 1;
  for (std::size_t i = 1; i <= n; ++i) {
    for (std::size_t j = 1; j <= m; ++j) {
      // The largest value is an `a` (it beats j b's) or a `b`: f(i, j) = f(i-1, j) shifted + f(i,
      // j-1).
      std::vector<double> next = ways[j - 1];
      for (std::size_t k = j; k <= n * m; ++k) next[k] += ways[j][k - j];
      ways[j] = std::move(next);
    }
  }
  double below = 0;
  double all = 0;
  for (std::size_t k = 0; k <= n * m; ++k) {
    all += ways[m][k];
    if (k <= u) below += ways[m][k];
  }
  return below / all;
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  double wins = 0;
  bool tied = false;
  std::vector<double> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  for (const double x : a) {
    for (const double y : b) {
      wins += x > y ? 1 : (x == y ? 0.5 : 0);
      tied = tied || x == y;
    }
  }
  const double n = static_cast<double>(a.size());
  const double m = static_cast<double>(b.size());
  const double fewer = std::min(wins, n * m - wins);
  if (!tied && a.size() <= 20 && b.size() <= 20) {
    return std::min(1.0, 2 * exact_u_cdf(a.size(), b.size(), static_cast<std::size_t>(fewer)));
  }
  std::sort(all.begin(), all.end());
  double ties = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    while (end < all.size() && all[end] == all[i]) ++end;
    const auto t = static_cast<double>(end - i);
    ties += t * t * t - t;
    i = end;
  }
  const double variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
  if (variance <= 0) return 1;
  return std::min(1.0, 2 * normal_cdf((fewer + 0.5 - n * m / 2) / std::sqrt(variance)));
}

double minimum_detectable(double standard_error, double alpha, double power) {
  return (normal_quantile(1 - alpha / 2) + normal_quantile(power)) * standard_error;
}

std::int64_t required_items(double standard_error, std::int64_t items, double effect, double alpha,
                            double power) {
  ASSAY_CHECK(effect > 0, "an effect of nothing needs endless samples");
  const double ratio = minimum_detectable(standard_error, alpha, power) / effect;
  const double needed = std::ceil(static_cast<double>(items) * ratio * ratio);
  return needed < 9e18 ? static_cast<std::int64_t>(needed) : INT64_MAX;
}

}  // namespace assay::reports
