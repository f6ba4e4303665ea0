// Stored measurements of speed of two runs, case by case. Pure but for the store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"

namespace assay::reports {

/// REQUIRES: not empty.
double median_of(std::vector<double> values);

struct SpeedComparison {
  std::string name;                  // of the case
  std::string metric;                // unit last
  std::int64_t baseline_values = 0;  // independent ones: starts, or repetitions of a single start
  std::int64_t candidate_values = 0;
  double baseline = 0;  // medians
  double candidate = 0;
  double change = 0;              // relative, candidate to baseline
  bool higher_is_better = false;  // of the metric
  double p = 1;                   // two-sided rank test on these values
  double p_adjusted = 1;          // Holm over all of them
  bool same_machine = true;       // equal machine classes: else the change says little
  /// Where the machine itself was not alike in both (store/machine_speed.h); "" where it was, or
  /// nobody looked.
  std::string machine_difference;
};

/// "the machine itself differed: memory is read at 161 %" of the baseline's rate, or "".
std::string machine_difference(const store::BenchCaseRecord& before,
                               const store::BenchCaseRecord& after);

/// Metrics that are compared unless one is asked for by name: what people look at first.
struct HeadlineMetric {
  const char* name;
  bool higher_is_better;
};
std::vector<HeadlineMetric> headline_metrics();

/// Every case that both runs have with equal parameters, headline metrics alone.
std::vector<SpeedComparison> compare_speeds(const store::Store& store,
                                            const store::RunRecord& baseline,
                                            const store::RunRecord& candidate);

}  // namespace assay::reports
