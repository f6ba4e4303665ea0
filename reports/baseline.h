// Which stored run another is measured against, and how a branch developed. Reads the store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "reports/compare.h"

namespace assay::reports {

/// A run or tag by name; "branch:NAME", the newest run of the branch; "best:NAME", the one with the
/// highest mean of headline metrics; "revision:TEXT", the newest of a revision that begins so. The
/// last three choose among finished runs like `candidate` (suite, model's name, setting, KV cache)
/// that asked all of their tasks and are not newer than it (its start may be unset).
/// Throws: Error(kIncomparable) when there is none, Error(kInput) for an unknown name.
store::RunRecord find_baseline(const store::Store& store, const std::string& selector,
                               const store::RunRecord& candidate);

struct TrendTask {
  std::string task;
  std::string metric;  // the headline
  double value = 0;
  Interval interval;
  /// Against the run before, paired; nothing for the first and where they cannot be paired.
  std::optional<MetricComparison> change;
};
struct TrendPoint {
  store::RunRecord run;
  std::vector<TrendTask> tasks;
};

/// Finished whole runs like `run` on its branch, oldest first.
std::vector<TrendPoint> find_trend(const store::Store& store, const store::RunRecord& run);
std::string trend_text(const std::vector<TrendPoint>& trend);
Json trend_json(const std::vector<TrendPoint>& trend);

}  // namespace assay::reports
