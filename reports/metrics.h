// The metrics of a stored task with their errors, from scores without texts. Pure but for reading
// the store. Repeats of an item are averaged first; unscored responses are left out and counted.
#pragma once

#include <string>
#include <vector>

#include "reports/statistics.h"
#include "store/store.h"

namespace assay::reports {

/// The scores of one task of one run, items numbered as the report needs them.
struct TaskData {
  store::RunTaskRecord task;
  store::TaskScores scores;
  std::vector<std::pair<std::int64_t, store::ItemRecord>> items;  // by row key, ascending
};
TaskData load_task_data(const store::Store& store, const store::RunTaskRecord& task);

/// One item that some metric is computed of.
struct MetricItem {
  std::int64_t item = 0;  // row key
  std::uint32_t group = 0;
  std::uint32_t cluster = 0;
};

/// Items in order of their row key: those of `use`, or all items with a scored response.
struct MetricFrame {
  std::vector<MetricItem> items;
  std::int64_t unscored = 0;  // responses left out
  bool clustered = false;     // some cluster has several items
};
/// What counts as one independent observation: an item's source (itself, but for MGSM's problems
/// and the like), or its whole group (MMLU's subjects, MGSM's languages), which asks whether a
/// change would be seen on other groups too. Items without a group keep their source.
enum class ClusterBy { kSource, kGroup };
MetricFrame make_frame(const TaskData& data, ClusterBy by = ClusterBy::kSource);

struct MetricResult {
  Estimate estimate;
  std::vector<ItemValue> values;  // per item; empty for a mean of metrics
  bool binary = false;            // every item is 0 or 1 of 1 point
};
/// REQUIRES: every item of the frame has a scored response in `data`.
/// Throws: Error(kInput) for a metric that the scores cannot make (k above the repeats).
MetricResult compute_metric(const TaskData& data, const MetricFrame& frame,
                            const std::string& metric);

/// 95 % unless said: Wilson's where every item is 0 or 1 and stands alone, else t with clusters.
Interval metric_interval(const MetricResult& result, const MetricFrame& frame,
                         double confidence = 0.95);

}  // namespace assay::reports
