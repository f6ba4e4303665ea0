// `assay bench throughput`: offline, every request sent at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "suites/bench/bursts.h"

namespace assay::suites {

struct ThroughputOptions {
  std::vector<std::vector<RequestLength>> loads = {{{.input = 512, .output = 128}}};
  std::int64_t requests = 64;         // sent at once
  double min_time_s = kUsualMinTime;  // of one repetition: bursts are repeated
  double warm_up_s = 30;              // at most
};

/// One case for each of the loads.
std::vector<BenchCase> throughput_cases(const BenchTarget& target,
                                        const ThroughputOptions& options);

}  // namespace assay::suites
