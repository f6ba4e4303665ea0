#include "reports/sequential.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace assay::reports {

namespace {

constexpr double kLeastStake = 0.02;  // of what can be lost at most; evenly in their logarithm
constexpr double kMostStake = 0.95;
constexpr double kSurelyRefuted = 1e200;  // no level asks for more; keeps products finite

double p_of(std::span<const double> values, Wager::Against against, double bound) {
  Wager wager(against, bound);
  for (const double value : values) wager.add(value);
  return wager.p();
}

/// The bound at which p passes `level`, by bisection: a bound farther out is refuted more easily.
double last_refuted(std::span<const double> values, Wager::Against against, double level) {
  double refuted = against == Wager::Against::kAtLeast ? 1 : -1;
  double kept = -refuted;
  for (int step = 0; step < 24; ++step) {  // to 1e-7
    const double middle = (refuted + kept) / 2;
    (p_of(values, against, middle) <= level ? refuted : kept) = middle;
  }
  return refuted;
}

}  // namespace

Wager::Wager(Against against, double bound)
    : sign_(against == Against::kAtLeast ? 1 : -1), bound_(sign_ * bound) {
  ASSAY_CHECK(bound > -1 && bound < 1, "a mean outside (-1, 1)");
  capital_.fill(1.0 / kStakes);
}

void Wager::add(double value) {
  ASSAY_CHECK(value >= -1 && value <= 1, "a value outside [-1, 1]");
  static const std::array<double, kStakes> stakes = [] {
    std::array<double, kStakes> out{};
    for (std::size_t i = 0; i < kStakes; ++i) {
      const double place = static_cast<double>(i) / (kStakes - 1);
      out[i] = kLeastStake * std::pow(kMostStake / kLeastStake, place);
    }
    return out;
  }();
  if (largest_ > kSurelyRefuted) return;
  const double gain = (bound_ - sign_ * value) / (1 - bound_);  // at worst -1
  double sum = 0;
  for (std::size_t i = 0; i < kStakes; ++i) sum += capital_[i] *= 1 + stakes[i] * gain;
  largest_ = std::max(largest_, sum);
}

double anytime_p(std::span<const double> values) {
  return std::min(1.0, 2 * std::min(p_of(values, Wager::Against::kAtLeast, 0),
                                    p_of(values, Wager::Against::kAtMost, 0)));
}

Interval anytime_interval(std::span<const double> values, double confidence) {
  const double level = (1 - confidence) / 2;
  return {last_refuted(values, Wager::Against::kAtMost, level),
          last_refuted(values, Wager::Against::kAtLeast, level)};
}

}  // namespace assay::reports
