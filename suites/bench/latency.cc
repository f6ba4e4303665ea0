#include "suites/bench/latency.h"

#include <fmt/format.h>

#include <utility>

#include "suites/bench/bound.h"
#include "suites/bench/bursts.h"

namespace assay::suites {
namespace {

/// Bounds of the first token and of a step, and how much of them was reached at the median.
void add_bounds(const BenchTarget& target, std::int64_t batch, const RequestLength& length,
                Figures& figures) {
  const auto cost = step_cost(target.session->info());
  if (!cost || !target.roofline) return;
  const double first = 1e3 * least_first_token_s(*cost, *target.roofline, batch, length.input);
  const double step = 1e3 * least_step_s(*cost, *target.roofline, batch);
  const auto ttft = value_of(figures, "ttft_ms_p50");
  const auto tpot = value_of(figures, "tpot_ms_p50");
  figures.values.emplace_back("ttft_bound_ms", first);
  if (ttft && *ttft > 0) figures.values.emplace_back("ttft_share_of_bound", first / *ttft);
  if (!tpot || *tpot <= 0) return;
  figures.values.emplace_back("tpot_bound_ms", step);
  figures.values.emplace_back("tpot_share_of_bound", step / *tpot);
}

RepOutcome measure(const BenchTarget& target, const std::string& name, const BurstPlan& plan,
                   std::int64_t rep) {
  const BurstSeries series = run_bursts(target, plan, name, rep);
  if (series.bursts == 0) return {};
  Figures figures = figures_of(series.requests, series.window, {});
  add_bounds(target, plan.requests, plan.lengths.front(), figures);
  return outcome_of(series, std::move(figures));
}

}  // namespace

std::vector<BenchCase> latency_cases(const BenchTarget& target, const LatencyOptions& options) {
  std::vector<BenchCase> out;
  for (const std::int64_t batch : options.batches) {
    for (const std::int64_t input : options.inputs) {
      for (const std::int64_t output : options.outputs) {
        const RequestLength length{.input = input, .output = output};
        BenchCase bench;
        bench.name = fmt::format("latency/batch:{}/in:{}/out:{}", batch, input, output);
        bench.kind = "latency";
        bench.params = Json::Object{{"batch", batch},
                                    {"input", input},
                                    {"output", output},
                                    {"iterations", options.iterations},
                                    {"min_time_s", options.min_time_s}};
        bench.warm_up = [&target, name = bench.name, length, batch, budget = options.warm_up_s] {
          return warm_up_bursts(target, name, {length}, batch, budget);
        };
        const BurstPlan plan{.lengths = {length},
                             .requests = batch,
                             .bursts = options.iterations,
                             .min_time_s = options.min_time_s};
        bench.measure = [&target, name = bench.name, plan](std::int64_t rep) {
          return measure(target, name, plan, rep);
        };
        out.push_back(std::move(bench));
      }
    }
  }
  return out;
}

}  // namespace assay::suites
