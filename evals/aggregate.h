// From scores of single responses to the metrics of a protocol.
// Pass@k: Chen et al. 2021, eq. 1, in its product form. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "evals/benchmark.h"
#include "evals/score.h"

namespace assay::evals {

/// One scored response and where it belongs.
struct Observation {
  std::string item;         // sample id; several observations of one item are its repeats
  std::string group;        // "" for none
  std::string category;     // "" for none
  std::string cluster;      // items that share a source; "" means the item itself
  std::int64_t repeat = 0;  // from 0; order of the repeats of an item
  Score score;
};

/// The observation of `sample` under `protocol`.
Observation observe(const Benchmark& benchmark, const Protocol& protocol, const Sample& sample,
                    std::int64_t repeat, Score score);

/// What one item adds to a metric: `value` of at most `count` points, averaged over its repeats.
struct ItemValue {
  std::string item;
  std::string group;
  std::string cluster;  // never empty
  double value = 0;
  double count = 1;
};

/// `value` is always `count` / `of`. kMean: points over possible points. kMacro: sum of the group
/// means over the number of groups. kPassAtK, kMajAtK: sum over items over the number of items.
/// kMeanOf: sum of the metrics over their number.
struct MetricValue {
  std::string name;
  MetricKind kind = MetricKind::kMean;
  double value = 0;
  double count = 0;
  double of = 0;
  std::vector<ItemValue> items;  // in order of first appearance; empty for kMeanOf
};

struct Aggregate {
  std::int64_t responses = 0;        // observations, unscored ones included
  std::int64_t items = 0;            // different ids among them
  std::int64_t unscored = 0;         // observations
  std::vector<MetricValue> metrics;  // as the protocol lists them; those without data are left out
  /// Metrics of each group and category that has a name, sorted by name; kMacro and kMeanOf over
  /// metrics that a single group cannot have are left out.
  std::vector<std::pair<std::string, std::vector<MetricValue>>> groups;

  [[nodiscard]] const MetricValue* find(std::string_view name) const;
};

/// Metrics of `observations`. A kPassAtK or kMajAtK metric whose k exceeds the repeats of some item
/// is left out. Unscored observations are counted and left out of every metric.
Aggregate aggregate(std::span<const MetricSpec> metrics, std::span<const Observation> observations);

/// Adds what several responses an item allow: for 1 < k <= repeats, pass@k at the powers of two and
/// at `repeats`, maj@`repeats`, avg@`repeats`; made of the first metric's part that has one.
std::vector<MetricSpec> with_repeat_metrics(std::span<const MetricSpec> metrics,
                                            std::int64_t repeats);

/// 1 - C(n - c, k) / C(n, k). REQUIRES: 0 <= c <= n, 1 <= k <= n.
double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

}  // namespace assay::evals
