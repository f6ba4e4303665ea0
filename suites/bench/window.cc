#include "suites/bench/window.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "suites/bench/steady.h"

namespace assay::suites {
namespace {

constexpr double kTolerance = 0.25;
constexpr std::size_t kParts = 10;

/// When so many requests were finished; the end of time when they never were.
std::int64_t time_of_finished(const LoadResult& load, std::int64_t count) {
  std::vector<std::int64_t> ends;
  for (const RequestTiming& request : load.requests) {
    if (request.outcome == RequestOutcome::kDone) ends.push_back(request.last_ns);
  }
  if (count <= 0) return load.begin_ns;
  if (std::ssize(ends) < count) return INT64_MAX;
  const auto place = ends.begin() + (count - 1);
  std::nth_element(ends.begin(), place, ends.end());
  return *place;
}

std::int64_t last_token(const LoadResult& load) {
  std::int64_t last = load.begin_ns;
  for (const RequestTiming& request : load.requests) last = std::max(last, request.last_ns);
  return last;
}

}  // namespace

Window measured_window(const LoadResult& load, const LoadPlan& plan, const WarmUp& warm_up) {
  ASSAY_CHECK(!load.requests.empty(), "no request was started");
  if (plan.arrivals == Arrivals::kBurst) return {load.begin_ns, last_token(load) + 1};
  Window out{load.begin_ns, load.last_start_ns + 1};
  std::int64_t begin = load.begin_ns;
  if (plan.duration_s > 0) {
    begin += static_cast<std::int64_t>(warm_up.seconds * 1e9);
  } else {
    const auto skipped = static_cast<std::size_t>(warm_up.share_of_requests *
                                                  static_cast<double>(load.requests.size()));
    begin = load.requests[std::min(skipped, load.requests.size() - 1)].scheduled_ns;
  }
  if (plan.arrivals == Arrivals::kClosed) {
    begin = std::max(begin, time_of_finished(load, warm_up.per_slot * plan.concurrency));
  }
  out.begin_ns = std::min(begin, out.begin_ns + (out.end_ns - out.begin_ns) / 2);
  // A single request: its own time is the window.
  if (out.end_ns - out.begin_ns < 2) out = {load.begin_ns, last_token(load) + 1};
  return out;
}

Drift drift_of(std::span<const RequestTiming> requests, const Window& window) {
  std::vector<double> sums(kParts);
  std::vector<double> counts(kParts);
  const auto length = static_cast<double>(window.end_ns - window.begin_ns);
  for (const RequestTiming& request : requests) {
    if (request.outcome != RequestOutcome::kDone || request.scheduled_ns < window.begin_ns ||
        request.scheduled_ns >= window.end_ns) {
      continue;
    }
    const double place = static_cast<double>(request.scheduled_ns - window.begin_ns) / length;
    const auto part = std::min(kParts - 1, static_cast<std::size_t>(place * kParts));
    sums[part] += static_cast<double>(request.last_ns - request.scheduled_ns);
    counts[part] += 1;
  }
  std::vector<double> means;
  for (std::size_t i = 0; i < kParts; ++i) {
    if (counts[i] > 0) means.push_back(sums[i] / counts[i]);
  }
  const Trend trend = trend_of(means);
  return {.steady = trend.p >= 0.01 || std::abs(trend.change) <= kTolerance,
          .change = trend.change};
}

}  // namespace assay::suites
