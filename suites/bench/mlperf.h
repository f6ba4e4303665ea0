// MLPerf's rules for a load, on the timings that this program took. Pure.
// Source: MLCommons' inference rules and loadgen (results.cc, early_stopping.cc, mlperf.conf of
// version 6.0). A result here follows the rules' arithmetic; it is no submission.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "suites/bench/load.h"

namespace assay::suites {

enum class Scenario { kOffline, kServer, kSingleStream };
/// "offline", "server", "single-stream". Throws: Error(kInput).
Scenario parse_scenario(const std::string& word);
const char* scenario_name(Scenario scenario);

struct MlperfRules {
  double min_duration_s = 600;
  std::int64_t min_samples = 24'576;  // offline
  double percentile = 0.99;           // server; a single stream has p90
  std::optional<double> ttft_ms;      // server: limits from the scheduled time
  std::optional<double> tpot_ms;
};

/// LLM limits of the rules, by name: "llama2-70b-server", "llama2-70b-interactive",
/// "llama3.1-8b-server" ... (state of November 2026).
struct MlperfLimits {
  const char* name;
  double ttft_ms;
  double tpot_ms;
};
std::span<const MlperfLimits> mlperf_limits();
/// Throws: Error(kInput) with the known names.
const MlperfLimits& find_mlperf_limits(const std::string& name);

struct MlperfResult {
  bool valid = true;
  std::vector<std::string> reasons;                    // of not being valid, and what to change
  std::vector<std::pair<std::string, double>> values;  // "mlperf_..."
};
/// LoadGen's percentile, sorted[floor(n p)]; one value above the inverse CDF where n p is whole.
double loadgen_percentile(std::span<const double> sorted, double p);
MlperfResult judge_mlperf(Scenario scenario, const LoadResult& load, const MlperfRules& rules);

}  // namespace assay::suites
