// The metrics of a stored run, computed again from its stored scores.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "evals/aggregate.h"
#include "store/store.h"

namespace assay::suites {

struct TaskSummary {
  store::RunTaskRecord task;
  evals::Aggregate aggregate;
  std::int64_t output_tokens = 0;
  std::int64_t truncated = 0;  // responses that ended at the length limit
};

std::vector<TaskSummary> summarize(const store::Store& store, std::int64_t run_row);

/// {name: {"value", "count", "of", "ci95"}} as in `assay score --json`.
Json metrics_json(const std::vector<evals::MetricValue>& metrics);

/// The document of one run in `assay run --json`: run id, model, setting, tasks with their metrics.
Json run_json(const store::RunRecord& run, const std::vector<TaskSummary>& tasks);

}  // namespace assay::suites
