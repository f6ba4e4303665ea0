// The "bench" part of a suite file: measurements of speed that belong to the same run as its
// tasks. The accepted form is described in docs/bench.md.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/object_reader.h"
#include "suites/bench/latency.h"
#include "suites/bench/serve.h"
#include "suites/bench/throughput.h"

namespace assay::suites {

struct SuiteBench {
  using Load = std::variant<LatencyOptions, ThroughputOptions, ServeOptions>;
  std::int64_t starts = kUsualStarts;  // of the model, where it can be made anew
  std::int64_t reps = 0;               // of every case after each start; 0: as is usual
  NoiseLimits noise;
  std::vector<Load> loads;
};

/// {"starts", "reps", "allowed_noise", "allowed_drift", "cases": [{"bench": "latency", ...},
/// ...]}. Throws: Error(kInput) with file, line, column and key.
SuiteBench parse_suite_bench(const Json& json, const JsonSource& source);

/// Cases of all loads, in order. REQUIRES: `target` outlives them.
std::vector<BenchCase> suite_cases(const BenchTarget& target, const SuiteBench& bench);

}  // namespace assay::suites
