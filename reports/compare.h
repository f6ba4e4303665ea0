// Paired comparison of two stored runs on the same items. Reads the store, computes, decides
// nothing: gate.h does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "reports/compare_speed.h"
#include "reports/hypothesis.h"
#include "reports/metrics.h"
#include "reports/statistics.h"
#include "store/store.h"

namespace assay::reports {

struct CompareOptions {
  double alpha = 0.05;
  double power = 0.8;
  bool common_items = false;  // pair what both have, instead of refusing runs of different items
  ClusterBy cluster = ClusterBy::kSource;
  std::size_t max_flips = 20;   // listed with their responses, for each task
  std::int64_t draws = 20'000;  // of signs, for the p of the mean
};

/// An item whose response changed its verdict.
struct Flip {
  std::string item;
  std::int64_t repeat = 0;
  bool right_to_wrong = false;
  std::string target;
  std::string baseline_answer;
  std::string candidate_answer;
  std::string baseline_response;
  std::string candidate_response;
};

struct MetricComparison {
  std::string metric;
  double baseline = 0;
  double candidate = 0;
  double difference = 0;  // candidate - baseline
  double standard_error = 0;
  Interval interval;      // of the difference, at 1 - alpha
  double p = 1;           // two-sided
  double p_adjusted = 1;  // Holm over headline metrics and their mean; p for other metrics
  std::string
      method;  // "exact McNemar", "clustered t", "betting, any time", "sign flips", "Welch t"
  double detectable = 0;  // smallest true difference found with the power asked for
};

/// The paired test of one metric of two runs over the items of `frame`; what `assay compare`, the
/// gate and the page all show. `p_adjusted` is still `p`.
MetricComparison compare_results(const MetricResult& before, const MetricResult& after,
                                 const MetricFrame& frame, const std::string& name,
                                 const CompareOptions& options);

struct TaskComparison {
  std::string task;  // "gsm8k@assay"
  std::int64_t items = 0;
  std::int64_t clusters = 0;
  std::int64_t unscored = 0;  // responses of either run without a verdict; their items are left out
  std::int64_t unpaired = 0;  // items that only one run has (with common_items)
  std::int64_t responses = 0;  // paired
  std::int64_t planned = 0;    // of the candidate; above `responses` when it was stopped early
  bool stopped_early = false;  // by `assay run --gate`: figures of `metrics` are of early_stop.h
  std::int64_t identical = 0;  // of them, with equal tokens or log-probabilities
  std::int64_t right_to_wrong = 0;
  std::int64_t wrong_to_right = 0;
  std::vector<MetricComparison> metrics;  // the first is the headline
  std::vector<Flip> flips;                // right to wrong first, at most max_flips
};

struct Comparison {
  store::RunRecord baseline;
  store::RunRecord candidate;
  std::vector<TaskComparison> tasks;
  std::vector<std::string> only_baseline;  // tasks that the other run lacks
  std::vector<std::string> only_candidate;
  /// Of the headline metrics of the tasks that were asked whole; nothing for fewer than two.
  std::optional<MetricComparison> mean;
  std::vector<SpeedComparison> speeds;  // of measurements that both runs have
  double overall_p = 1;  // that no headline metric changed: the smallest Holm-adjusted p
  double alpha = 0.05;
};

/// Share of the planned responses that early stopping left out.
double saved_share(const TaskComparison& task);

/// Throws: Error(kIncomparable) naming what differs in data, protocol or scorer.
void check_same_task(const store::RunTaskRecord& baseline, const store::RunTaskRecord& candidate);

/// Throws: Error(kIncomparable) naming what differs in data, protocol, prompts or items; also when
/// the runs have neither a task nor a measurement of speed in common.
Comparison compare_runs(const store::Store& store, const store::RunRecord& baseline,
                        const store::RunRecord& candidate, const CompareOptions& options = {});

Json comparison_json(const Comparison& comparison);
std::string comparison_text(const Comparison& comparison);
std::string comparison_markdown(const Comparison& comparison);
/// RFC 4180; cells that a spreadsheet would take for a formula get a leading apostrophe.
std::string comparison_csv(const Comparison& comparison);
/// One cell.
std::string csv_cell(const std::string& text);

}  // namespace assay::reports
