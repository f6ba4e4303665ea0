// `assay bench latency`: batches of equal requests sent at once, one batch after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "suites/bench/bursts.h"

namespace assay::suites {

struct LatencyOptions {
  std::vector<std::int64_t> batches = {1};
  std::vector<std::int64_t> inputs = {128};
  std::vector<std::int64_t> outputs = {32};
  std::int64_t iterations = 3;        // batches of one repetition, at least
  double min_time_s = kUsualMinTime;  // of one repetition
  double warm_up_s = 30;              // at most, of each case
};

/// One case for each batch x input x output.
std::vector<BenchCase> latency_cases(const BenchTarget& target, const LatencyOptions& options);

}  // namespace assay::suites
