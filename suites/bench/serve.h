// `assay bench serve`: a server, or the built-in session, under a stream of requests.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "suites/bench/mlperf.h"
#include "suites/bench/target.h"
#include "suites/bench/window.h"

namespace assay::suites {

struct ServeOptions {
  Arrivals arrivals = Arrivals::kPoisson;
  std::vector<double> rates;                // open loop: one case each
  std::vector<std::int64_t> concurrencies;  // closed loop: one case each
  std::vector<RequestLength> lengths = {{.input = 128, .output = 64}};
  double duration_s = 60;     // warm-up included
  std::int64_t requests = 0;  // instead of the duration
  std::int64_t most_in_flight = 0;
  double drain_s = 600;
  WarmUp warm_up;
  Slo slo;
  double slo_quantile = 0.99;        // share that must keep the limits
  std::optional<Scenario> scenario;  // MLPerf's judgement beside the figures
  MlperfRules rules;
  /// Called with every load as it was measured; may be empty.
  std::function<void(const std::string& name, std::int64_t rep, const LoadResult& load)> on_load;
};

/// Throws: Error(kInput) for options that do not fit together.
std::vector<BenchCase> serve_cases(const BenchTarget& target, const ServeOptions& options);

/// Doubles from `start` until a rate is refused, then bisects until the refused rate is at most
/// `resolution` above the accepted one. Returns the highest accepted rate, 0 when even
/// start / 1024 was refused. `accepts` is asked at most 40 times.
double peak_rate(double start, double resolution, const std::function<bool(double)>& accepts);

/// Whether a measured rate was carried: the limits kept by enough requests, or, without limits,
/// as many requests finished as came and no upward drift.
bool carried(const RepOutcome& rep, const ServeOptions& options, double rate_per_s);

}  // namespace assay::suites
