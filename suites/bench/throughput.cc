#include "suites/bench/throughput.h"

#include <fmt/format.h>

#include <algorithm>

#include "suites/bench/bound.h"
#include "suites/bench/bursts.h"

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

RepOutcome measure(const BenchTarget& target, const std::string& name, const BurstPlan& plan,
                   std::int64_t rep) {
  const auto cost = step_cost(target.session->info());
  std::int64_t input_tokens = 0;
  double least_s = 0;  // of all bursts, by the bounds; 0 where they are not known
  const BurstSeries series = run_bursts(target, plan, name, rep, [&](const LoadResult& load) {
    const OfflineWork work = work_of(load);
    input_tokens += work.input_tokens;
    if (cost && target.roofline) least_s += least_offline_s(*cost, *target.roofline, work);
  });
  if (series.bursts == 0) return {};
  RepOutcome out = outcome_of(series, figures_of(series.requests, series.window, {}));
  if (least_s > 0) {
    out.values.emplace_back("output_tokens_per_s_bound",
                            static_cast<double>(out.output_tokens) / least_s);
    out.values.emplace_back("share_of_bound",
                            least_s / (static_cast<double>(out.duration_ns) / 1e9));
  }
  out.detail.set("input_tokens", input_tokens);
  out.detail.set("output_tokens", out.output_tokens);
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
    bench.params.set("min_time_s", options.min_time_s);
    std::vector<RequestLength> shorter = lengths;
    for (RequestLength& length : shorter) length.output = std::min(length.output, kWarmUpOutput);
    bench.warm_up = [&target, name = bench.name, shorter, requests = options.requests,
                     budget = options.warm_up_s] {
      const std::int64_t few = std::min<std::int64_t>(requests, 8);
      return warm_up_bursts(target, name, shorter, few, budget);
    };
    const BurstPlan plan{
        .lengths = lengths, .requests = options.requests, .min_time_s = options.min_time_s};
    bench.measure = [&target, name = bench.name, plan](std::int64_t rep) {
      return measure(target, name, plan, rep);
    };
    out.push_back(std::move(bench));
  }
  return out;
}

}  // namespace assay::suites
