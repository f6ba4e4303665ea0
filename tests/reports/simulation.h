// What the simulations of error rates share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "reports/mean_change.h"
#include "reports/statistics.h"

namespace assay::reports {

constexpr double kAlpha = 0.05;

/// Of each case.
inline int simulations() {
  const char* text = std::getenv("ASSAY_SIMULATIONS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 10000;
}

/// Drawn, so that streams are not shifts of one another.
inline SplitMix64 nth_stream(int run) {
  SplitMix64 seeds(static_cast<std::uint64_t>(run));
  return SplitMix64(seeds());
}

/// What is counted: how often a trial says yes, and between which shares that has to be.
struct Case {
  std::string name;
  double low = 0;
  double high = 1;
  std::function<bool(SplitMix64&)> trial;
};
inline void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Simulation : public ::testing::TestWithParam<Case> {};

/// Clusters of equal size; an item takes its cluster's pair with probability `together`, else one
/// of its own. A share `up` of the pairs turns right, `down` turns wrong.
struct PairDesign {
  int clusters = 100;
  int size = 1;
  double together = 0;
  double up = 0.05;
  double down = 0.05;
};

struct Pairs {
  std::vector<ItemValue> before;
  std::vector<ItemValue> after;
  std::vector<std::uint32_t> clusters;
  std::vector<double> changes;  // by cluster: mean of its items' changes
  std::int64_t up = 0;
  std::int64_t down = 0;
};

inline Pairs draw_pairs(SplitMix64& random, const PairDesign& design) {
  const auto change = [&] {
    const double u = random.uniform();
    return u < design.up ? 1 : (u < design.up + design.down ? -1 : 0);
  };
  Pairs out;
  for (int c = 0; c < design.clusters; ++c) {
    const auto cluster = static_cast<std::uint32_t>(c);
    const int shared = change();
    double sum = 0;
    for (int i = 0; i < design.size; ++i) {
      const int d = random.uniform() < design.together ? shared : change();
      const double a = d == 0 ? (random.uniform() < 0.8 ? 1 : 0) : (d > 0 ? 0 : 1);
      out.before.push_back({a, 1, 0, cluster});
      out.after.push_back({a + d, 1, 0, cluster});
      out.clusters.push_back(cluster);
      out.up += d > 0 ? 1 : 0;
      out.down += d < 0 ? 1 : 0;
      sum += d;
    }
    out.changes.push_back(sum / design.size);
  }
  return out;
}

struct PairedChange {
  double value = 0;
  StandardError error;
};
inline PairedChange change_of(const Pairs& pairs) {
  const Estimate d = difference(mean_estimate(pairs.after), mean_estimate(pairs.before));
  return {d.value, standard_error(d, pairs.clusters)};
}

inline bool holds(const Interval& interval, double truth) {
  return interval.low <= truth && interval.high >= truth;
}

}  // namespace assay::reports
