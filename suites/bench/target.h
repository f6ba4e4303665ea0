// What is measured: an open session on this machine, and the bounds of both. Cases of all load
// benchmarks are made from it.
#pragma once

#include <optional>
#include <vector>

#include "engine/roofline.h"
#include "engine/session.h"
#include "suites/bench/clock.h"
#include "suites/bench/load.h"
#include "suites/bench/measure.h"
#include "suites/bench/workload.h"

namespace assay::suites {

/// REQUIRES: session and clock outlive the cases made from it.
struct BenchTarget {
  engine::Session* session = nullptr;
  LoadClock* clock = nullptr;
  std::optional<engine::Roofline> roofline;  // of the device that the built-in engine runs on
  std::uint64_t seed = 0;
};

/// Of lengths; prompts differ between cases and repetitions.
Workload workload_for(const BenchTarget& target, std::vector<RequestLength> lengths,
                      const std::string& case_name, std::int64_t rep);

/// One load of a workload. Throws: Error(kEnvironment) when every request failed, with the first
/// reason.
LoadResult run_workload(const BenchTarget& target, const Workload& workload, const LoadPlan& plan);

/// Bursts of `requests` until the times of the last ones are steady (suites/bench/steady.h), at
/// most for `budget_s`. Returns {"loads", "seconds", "steady", "left_out"}.
Json warm_up_bursts(const BenchTarget& target, const std::string& case_name,
                    std::vector<RequestLength> lengths, std::int64_t requests, double budget_s);

/// "128" or "drawn" for many.
std::string lengths_name(const std::vector<RequestLength>& lengths, bool input);
/// {"input", "output"}, or for many their count, means and a digest.
Json lengths_json(const std::vector<RequestLength>& lengths);

}  // namespace assay::suites
