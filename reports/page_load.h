// The scores of every task of a page's runs, read once, several at a time.
#pragma once

#include <string>
#include <vector>

#include "reports/metrics.h"
#include "store/store.h"

namespace assay::reports {

/// One task of one run with all its metrics.
struct LoadedTask {
  std::size_t run = 0;         // index in the list that was loaded
  std::string label;           // "gsm8k@assay"
  bool stopped_early = false;  // by `assay run --gate`: some of its items were not asked
  TaskData data;               // rows in the order (item, repeat)
  MetricFrame frame;
  std::vector<std::string> groups;  // names, by their number in the frame
  /// Another task of the list with the same items, whose `data.items` stand for this one's, which
  /// are empty then; nullptr: its own.
  const LoadedTask* leader = nullptr;
  std::vector<MetricResult> results;  // one for each metric of the task; empty without a verdict
};

std::string task_label(const store::RunTaskRecord& task);

/// Every task of `runs`, in their order. Opens the store once more for each thread.
/// Throws: what the store throws, the first in order.
std::vector<LoadedTask> load_page_tasks(const store::Store& store,
                                        const std::vector<store::RunRecord>& runs);

/// The same responses to the same items, and each has a verdict.
bool same_items(const LoadedTask& a, const LoadedTask& b);
/// Fills frame, groups and results from `data`.
void compute_results(LoadedTask& task);

/// Value of metric `index` with its interval. REQUIRES: results are not empty.
Interval result_interval(const LoadedTask& task, std::size_t index);

}  // namespace assay::reports
