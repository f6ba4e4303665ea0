#include "suites/bench/bursts.h"

#include <fmt/format.h>

#include <utility>

#include "suites/bench/window.h"
#include "suites/interrupt.h"

namespace assay::suites {
namespace {

// Of one repetition; the next repetition's prompts begin behind them.
constexpr std::int64_t kMostBursts = std::int64_t{1} << 20;

void move_times(RequestTiming& request, std::int64_t by_ns) {
  for (std::int64_t* time : {&request.scheduled_ns, &request.sent_ns, &request.first_ns,
                             &request.last_ns, &request.ended_ns}) {
    if (*time != 0) *time += by_ns;  // 0: it never was
  }
  for (TokenChunk& chunk : request.chunks) chunk.at_ns += by_ns;
}

}  // namespace

BurstSeries run_bursts(const BenchTarget& target, const BurstPlan& plan,
                       const std::string& case_name, std::int64_t rep,
                       const std::function<void(const LoadResult&)>& each) {
  const LoadPlan burst{.arrivals = Arrivals::kBurst, .requests = plan.requests};
  const auto least_ns = static_cast<std::int64_t>(plan.min_time_s * 1e9);
  BurstSeries out;
  const auto enough = [&] {
    return out.bursts == kMostBursts || (out.bursts >= plan.bursts &&
                                         out.window.end_ns - out.window.begin_ns >= least_ns);
  };
  while (!enough() && !interrupted()) {
    const std::int64_t stream = rep * kMostBursts + out.bursts;
    LoadResult load =
        run_workload(target, workload_for(target, plan.lengths, case_name, stream), burst);
    if (load.requests.empty()) break;
    if (each) each(load);
    const Window window = measured_window(load, burst, {});
    if (out.bursts == 0) out.window = {window.begin_ns, window.begin_ns};
    const std::int64_t by_ns = out.window.end_ns - window.begin_ns;
    for (RequestTiming& request : load.requests) {
      move_times(request, by_ns);
      out.requests.push_back(std::move(request));
    }
    out.window.end_ns = window.end_ns + by_ns;
    ++out.bursts;
  }
  return out;
}

RepOutcome outcome_of(const BurstSeries& series, Figures figures) {
  RepOutcome out;
  out.duration_ns = series.window.end_ns - series.window.begin_ns;
  for (const RequestTiming& request : series.requests) out.output_tokens += request.output_tokens;
  out.values = std::move(figures.values);
  out.detail.set("within_run", std::move(figures.within_run));
  out.detail.set("requests", figures.requests);
  out.detail.set("bursts", series.bursts);
  if (figures.errors > 0) {
    out.invalid_reason = fmt::format("{} of {} requests failed", figures.errors, figures.requests);
  }
  return out;
}

}  // namespace assay::suites
