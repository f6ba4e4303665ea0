// What a load generator knows of one request, and every figure made of it. docs/bench.md has the
// formulas; the names here are the ones stored and printed. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace assay::suites {

/// Tokens that became visible together.
struct TokenChunk {
  std::int64_t at_ns = 0;  // monotonic clock
  std::int64_t tokens = 0;
};

enum class RequestOutcome { kDone, kError, kUnfinished };

struct RequestTiming {
  std::int64_t scheduled_ns = 0;  // t_sched: when the arrival process said that it should start
  std::int64_t sent_ns = 0;       // t_sent: handed over; 0 when it never was
  std::int64_t first_ns = 0;      // t_first: first output token visible; 0 without one
  std::int64_t last_ns = 0;       // t_last: last output token visible
  std::int64_t ended_ns = 0;      // when the whole answer, or its error, was known; 0: never
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;  // of the input, taken from a prefix cache
  std::int64_t output_tokens = 0;
  std::vector<TokenChunk> chunks;  // ascending in time
  RequestOutcome outcome = RequestOutcome::kUnfinished;
  std::string error;
};

/// Limits that a good request keeps, all of them.
struct Slo {
  std::optional<double> ttft_ms;
  std::optional<double> tpot_ms;
  std::optional<double> e2e_ms;
  bool from_scheduled = true;  // TTFT and E2E count from t_sched, else from t_sent
  [[nodiscard]] bool empty() const { return !ttft_ms && !tpot_ms && !e2e_ms; }
};

/// Part of the run that is measured: [begin, end) in t_sched.
struct Window {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
};

/// (last - first) / (output - 1) in milliseconds; nothing for fewer than two tokens.
std::optional<double> tpot_ms(const RequestTiming& request);
/// Whether a finished request keeps every limit; TPOT is kept where it is undefined.
bool meets(const RequestTiming& request, const Slo& slo);

struct Figures {
  std::vector<std::pair<std::string, double>> values;  // by docs/bench.md, unit in the name
  /// Of each percentile {"low", "high", "n"}: 95 % interval by order statistics within this run; a
  /// side without enough values is null.
  Json within_run;
  std::int64_t requests = 0;  // scheduled in the window
  std::int64_t errors = 0;    // of these, not answered
  std::int64_t outside = 0;   // requests left out
};

/// Latencies of the requests scheduled in the window, followed to their end; rates of what became
/// visible in the window, whoever asked. REQUIRES: window.end_ns > window.begin_ns.
Figures figures_of(std::span<const RequestTiming> requests, const Window& window, const Slo& slo);

/// Adds NAME_mean, NAME_p50, NAME_p90, NAME_p99 of `values`, with intervals; nothing when empty.
void add_distribution(std::vector<double> values, const std::string& name, Figures& out);

/// The value of a name, if it is there.
std::optional<double> value_of(const Figures& figures, std::string_view name);

}  // namespace assay::suites
