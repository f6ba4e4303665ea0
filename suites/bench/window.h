// Which part of a load is measured. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "suites/bench/load.h"

namespace assay::suites {

struct WarmUp {
  double seconds = 5;              // from the start
  std::int64_t per_slot = 2;       // closed loop: finished requests for each slot
  double share_of_requests = 0.1;  // of a load that a number of requests ends
};

/// Open loop: from the end of the warm-up to the last scheduled request. Closed loop: while every
/// slot is busy, warm-up left out. Burst: from the start to the last token. Where the warm-up would
/// leave less than half of the load, half of it is taken. REQUIRES: a request was started.
Window measured_window(const LoadResult& load, const LoadPlan& plan, const WarmUp& warm_up);

struct Drift {
  bool steady = true;
  double change = 0;  // of the end-to-end time from the window's begin to its end, relative
};
/// By the trend of ten parts of the window; steady unless it is significant and above a quarter.
Drift drift_of(std::span<const RequestTiming> requests, const Window& window);

}  // namespace assay::suites
