// Comparison of a task that was stopped, or may be, before all of it was asked: `assay run --gate`
// asks whole clusters in a seeded random order, so what is stored is a random part of the task, and
// its size may depend on what was seen. Inference is by sequential.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reports/compare.h"
#include "reports/metrics.h"

namespace assay::reports {

/// The baseline's side of one task, all of it.
class PrefixComparison {
 public:
  /// `seed` is the candidate's: it orders the clusters.
  /// Throws: Error(kIncomparable) when the baseline itself has only part of the task.
  PrefixComparison(const store::Store& store, const store::RunTaskRecord& baseline,
                   std::uint64_t seed);

  /// Of the longest beginning of the order that `candidate` has whole; clusters with an unscored
  /// response in either run are passed over. The baseline's figure is that of all its items, the
  /// candidate's is this plus the difference. Nothing seen: difference 0 in [-1, 1].
  /// REQUIRES: the same task as the baseline's.
  [[nodiscard]] MetricComparison compare(const TaskData& candidate, const std::string& metric,
                                         const CompareOptions& options) const;

 private:
  struct Prefix {
    MetricFrame frame;      // by row key; `cluster` is the place in the order
    std::size_t units = 0;  // clusters looked at
  };
  struct Changes {
    std::vector<double> by_unit;   // mean: the metric's difference
    std::vector<double> bound_of;  // by the baseline's cluster: how far one can be from 0
  };
  [[nodiscard]] Prefix prefix(const TaskData& candidate) const;
  void add_changes(const TaskData& candidate, const Prefix& prefix, const std::string& metric,
                   double share, Changes& changes) const;

  TaskData baseline_;
  MetricFrame frame_;
  std::vector<std::vector<std::int64_t>> order_;  // row keys of the items of each cluster
  std::vector<std::int64_t> unscored_;            // items of the baseline, ascending
};

}  // namespace assay::reports
