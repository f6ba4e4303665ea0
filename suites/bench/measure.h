// Runs benchmark cases: repetitions in an order that spreads drift over all cases (forward,
// backward, forward ...), after each start of the model, the machine watched, everything as rows of
// the store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/estimate.h"
#include "base/json.h"
#include "base/machine_speed.h"
#include "store/records.h"
#include "suites/bench/telemetry.h"

namespace assay::suites {

struct RepOutcome {
  std::vector<std::pair<std::string, double>> values;  // unit in the name
  Json detail;                                         // object
  std::int64_t duration_ns = 0;                        // of what was measured
  std::int64_t output_tokens = 0;                      // of all requests, for energy; 0: none
  std::string invalid_reason;                          // "" when valid
};

struct BenchCase {
  std::string name;  // "latency/batch:1/in:128/out:32"
  std::string kind;  // "latency", "throughput", "serve", "kernels"
  Json params;       // what decides the figures: runs are compared only where they are equal
  std::function<Json()> warm_up;  // before a start's first repetition; what it took
  std::function<RepOutcome(std::int64_t rep)> measure;  // rep from 0, over all starts
};

/// Without other wish: what is started here is started anew several times, as its speed changes
/// from start to start and over seconds; a server is measured as it runs.
inline constexpr std::int64_t kUsualStarts = 5;
inline constexpr std::int64_t kUsualRepsOfStart = 3;
inline constexpr std::int64_t kUsualReps = 5;  // where there is one start

struct MeasureOptions {
  std::int64_t starts = 1;
  std::int64_t reps = kUsualReps;  // after each start; spoiled ones are measured again, so many
  std::function<void()> restart;   // makes the model anew; for two starts or more
  NoiseLimits noise;
  /// How fast the machine is right now, where figures depend on it; may be empty.
  std::function<MachineSpeed()> machine_speed;
  std::function<void(const std::string& line)> progress;  // may be empty
};

struct Measured {
  std::vector<store::BenchCaseRecord> cases;
  std::optional<double> energy_j;    // over all repetitions; nothing when it is not readable
  std::vector<std::string> remarks;  // noise and spread, a line each
  bool interrupted = false;
};

/// After a signal what is finished is returned. Throws: what a case throws.
Measured measure_cases(const std::vector<BenchCase>& cases, const MeasureOptions& options);

/// A metric over the values of a case that are independent (store/bench_values.h): of starts, or of
/// repetitions where there was one start. Mean with a 95 % t interval.
struct CaseFigure {
  std::string metric;
  std::int64_t reps = 0;    // valid ones
  std::int64_t starts = 0;  // with a valid repetition
  double mean = 0;
  double median = 0;
  std::optional<Interval> interval;  // one value has none
  double spread = 0;                 // standard deviation of the values over mean; 0 with one
};
std::vector<CaseFigure> figures_of(const store::BenchCaseRecord& bench);

}  // namespace assay::suites
