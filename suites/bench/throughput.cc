#include "suites/bench/throughput.h"

#include <fmt/format.h>

#include <algorithm>

#include "suites/bench/bound.h"
#include "suites/bench/window.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kWarmUpOutput = 8;  // tokens: warm-up is for memory and kernels

OfflineWork work_of(const LoadResult& load) {
  OfflineWork out;
  for (const RequestTiming& request : load.requests) {
    out.input_tokens += request.input_tokens - request.cached_tokens;
    out.output_tokens += request.output_tokens;
    out.longest_output = std::max(out.longest_output, request.output_tokens);
  }
  return out;
}

void add_bound(const BenchTarget& target, const OfflineWork& work, double seconds,
               Figures& figures) {
  const auto cost = step_cost(target.session->info());
  if (!cost || !target.roofline) return;
  const double least = least_offline_s(*cost, *target.roofline, work);
  figures.values.emplace_back("output_tokens_per_s_bound",
                              static_cast<double>(work.output_tokens) / least);
  figures.values.emplace_back("share_of_bound", least / seconds);
}

RepOutcome measure(const BenchTarget& target, const std::string& name,
                   const std::vector<RequestLength>& lengths, std::int64_t requests,
                   std::int64_t rep) {
  const LoadPlan plan{.arrivals = Arrivals::kBurst, .requests = requests};
  const LoadResult load = run_workload(target, workload_for(target, lengths, name, rep), plan);
  RepOutcome out;
  if (load.requests.empty()) return out;
  const Window window = measured_window(load, plan, {});
  Figures figures = figures_of(load.requests, window, {});
  const OfflineWork work = work_of(load);
  add_bound(target, work, static_cast<double>(window.end_ns - window.begin_ns) / 1e9, figures);
  out.duration_ns = window.end_ns - window.begin_ns;
  out.output_tokens = work.output_tokens;
  out.values = std::move(figures.values);
  out.detail.set("within_run", std::move(figures.within_run));
  out.detail.set("requests", figures.requests);
  out.detail.set("input_tokens", work.input_tokens);
  out.detail.set("output_tokens", work.output_tokens);
  if (figures.errors > 0) {
    out.invalid_reason = fmt::format("{} of {} requests failed", figures.errors, figures.requests);
  }
  return out;
}

}  // namespace

std::vector<BenchCase> throughput_cases(const BenchTarget& target,
                                        const ThroughputOptions& options) {
  std::vector<BenchCase> out;
  for (const std::vector<RequestLength>& lengths : options.loads) {
    BenchCase bench;
    bench.name = fmt::format("throughput/in:{}/out:{}/requests:{}", lengths_name(lengths, true),
                             lengths_name(lengths, false), options.requests);
    bench.kind = "throughput";
    bench.params = lengths_json(lengths);
    bench.params.set("requests", options.requests);
    std::vector<RequestLength> shorter = lengths;
    for (RequestLength& length : shorter) length.output = std::min(length.output, kWarmUpOutput);
    bench.warm_up = [&target, name = bench.name, shorter, requests = options.requests,
                     budget = options.warm_up_s] {
      const std::int64_t few = std::min<std::int64_t>(requests, 8);
      return warm_up_bursts(target, name, shorter, few, budget);
    };
    bench.measure = [&target, name = bench.name, lengths, requests = options.requests](
                        std::int64_t rep) { return measure(target, name, lengths, requests, rep); };
    out.push_back(std::move(bench));
  }
  return out;
}

}  // namespace assay::suites
