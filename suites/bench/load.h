// The load generator: hands requests to a session when they are due and keeps the four times of
// each. In an open loop nothing that the server does delays a scheduled time, so a stall is seen by
// every request that came due in it (no coordinated omission).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/session.h"
#include "suites/bench/arrivals.h"
#include "suites/bench/clock.h"
#include "suites/bench/timing.h"

namespace assay::suites {

struct LoadPlan {
  Arrivals arrivals = Arrivals::kClosed;
  double rate_per_s = 0;            // open loop
  std::int64_t concurrency = 1;     // closed loop
  std::int64_t requests = 0;        // at most so many; 0: until the time is over
  double duration_s = 0;            // no request starts later; 0: until the requests are over
  std::int64_t most_in_flight = 0;  // open loop: further ones wait here, their clock running
  std::uint64_t seed = 0;           // of the schedule
  double drain_s = 600;             // for answers after the last start; then they are cancelled
  bool keep_chunks = true;          // false: only first and last token, for very long runs
};

/// Makes the request of a number, from 0. Called in order, by one thread at a time: the one that
/// called run_load or the session's.
using RequestMaker = std::function<engine::Request(std::int64_t index)>;

struct LoadResult {
  std::vector<RequestTiming> requests;  // in the order of their numbers
  std::int64_t begin_ns = 0;
  std::int64_t last_start_ns = 0;  // t_sched of the last request
  std::int64_t end_ns = 0;         // when nothing was in flight any more
  bool interrupted = false;
};

/// Blocks until all is answered. Errors of single requests are in their timings.
/// Throws: Error(kEnvironment) when the session is lost.
LoadResult run_load(engine::Session& session, const RequestMaker& make, const LoadPlan& plan,
                    LoadClock& clock);

}  // namespace assay::suites
