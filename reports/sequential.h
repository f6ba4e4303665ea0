// Inference on a mean that holds at whatever moment one stops to look. Pure; any thread.
// Sources: Ville 1939 for the level; Waudby-Smith and Ramdas 2024 for means of bounded values.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "reports/statistics.h"

namespace assay::reports {

/// A gambler who bets, value by value, against a hypothesis about the mean. Were it true, the
/// capital would not grow on average, and by Ville's inequality it would ever pass 1 / alpha with
/// probability at most alpha: so one may look after every value and stop when one likes.
/// The capital is averaged over a fixed set of stakes. The values must come in random order.
class Wager {
 public:
  enum class Against { kAtLeast, kAtMost };  // the mean is at least, at most `bound`
  /// REQUIRES: -1 < bound < 1.
  Wager(Against against, double bound);
  /// REQUIRES: -1 <= value <= 1.
  void add(double value);
  /// 1 over the largest capital so far, at most 1.
  [[nodiscard]] double p() const { return largest_ > 1 ? 1 / largest_ : 1; }

 private:
  static constexpr std::size_t kStakes = 12;
  double sign_;
  double bound_;  // of sign_ * value
  std::array<double, kStakes> capital_{};
  double largest_ = 1;
};

/// Two-sided p of the mean being 0, from values in [-1, 1].
double anytime_p(std::span<const double> values);
/// Holds the mean at every moment at once with this probability: the bounds that no wager has
/// refuted. Within [-1, 1].
Interval anytime_interval(std::span<const double> values, double confidence);

}  // namespace assay::reports
