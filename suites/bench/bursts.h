// Bursts of equal loads, one after the other, as one load: a single burst of a small model is over
// in milliseconds, which says more of the moment than of the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "suites/bench/target.h"
#include "suites/bench/timing.h"

namespace assay::suites {

/// Seconds of a repetition without other wish: many times what a scheduler's slice, an interrupt or
/// the grain of the system's accounting of processor time take.
inline constexpr double kUsualMinTime = 1;

struct BurstPlan {
  std::vector<RequestLength> lengths;
  std::int64_t requests = 1;  // of a burst, sent at once
  std::int64_t bursts = 1;    // at least
  double min_time_s = 0;      // at least, over all bursts
};

/// As if every burst had begun when the one before was over: the time between two bursts, in which
/// prompts are made, is taken out of all times.
struct BurstSeries {
  std::vector<RequestTiming> requests;
  Window window;            // of all bursts; empty (end == begin) when none was finished
  std::int64_t bursts = 0;  // finished
};

/// After a signal: the bursts until then. `each` sees a burst's own times; may be empty.
/// Throws: as run_workload.
BurstSeries run_bursts(const BenchTarget& target, const BurstPlan& plan,
                       const std::string& case_name, std::int64_t rep,
                       const std::function<void(const LoadResult&)>& each = {});

/// A repetition that consists of `series`, with the figures made of it; invalid where a request
/// failed. REQUIRES: a finished burst.
RepOutcome outcome_of(const BurstSeries& series, Figures figures);

}  // namespace assay::suites
