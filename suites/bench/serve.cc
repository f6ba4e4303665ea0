#include "suites/bench/serve.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace assay::suites {
namespace {

constexpr double kKeepsUp = 0.95;  // finished over arrived, for a rate that is carried
constexpr int kMostProbes = 40;

Json optional_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json params_of(const BenchTarget& target, const ServeOptions& options, const LoadPlan& plan) {
  Json out = lengths_json(options.lengths);
  out.set("arrivals", arrivals_name(plan.arrivals));
  if (plan.arrivals == Arrivals::kClosed) {
    out.set("concurrency", plan.concurrency);
  } else if (plan.arrivals != Arrivals::kBurst) {
    out.set("rate_per_s", plan.rate_per_s);
    out.set("most_in_flight", plan.most_in_flight);
  }
  out.set("duration_s", plan.duration_s);
  out.set("requests", plan.requests);
  out.set("warm_up_s", options.warm_up.seconds);
  out.set("seed", static_cast<std::int64_t>(target.seed));
  if (!options.slo.empty()) {
    Json slo;
    slo.set("ttft_ms", optional_json(options.slo.ttft_ms));
    slo.set("tpot_ms", optional_json(options.slo.tpot_ms));
    slo.set("e2e_ms", optional_json(options.slo.e2e_ms));
    out.set("slo", std::move(slo));
  }
  if (options.scenario) out.set("mlperf", scenario_name(*options.scenario));
  return out;
}

std::string case_name(const ServeOptions& options, const LoadPlan& plan) {
  std::string load = arrivals_name(plan.arrivals);
  if (plan.arrivals == Arrivals::kClosed) {
    load += fmt::format("/concurrency:{}", plan.concurrency);
  } else if (plan.arrivals != Arrivals::kBurst) {
    load += fmt::format("/rate:{:g}", plan.rate_per_s);
  }
  const std::string scenario =
      options.scenario ? fmt::format("mlperf-{}/", scenario_name(*options.scenario)) : "";
  return fmt::format("serve/{}{}/in:{}/out:{}", scenario, load, lengths_name(options.lengths, true),
                     lengths_name(options.lengths, false));
}

void add_judgement(const ServeOptions& options, const LoadResult& load, RepOutcome& out) {
  if (!options.scenario) return;
  const MlperfResult judged = judge_mlperf(*options.scenario, load, options.rules);
  out.values.insert(out.values.end(), judged.values.begin(), judged.values.end());
  Json reasons{Json::Array{}};
  for (const std::string& reason : judged.reasons) reasons.push_back(reason);
  out.detail.set("mlperf", Json::Object{{"valid", judged.valid}, {"reasons", std::move(reasons)}});
}

/// The first few errors, for people.
Json errors_json(const std::vector<RequestTiming>& requests) {
  constexpr std::size_t kShown = 5;
  Json out{Json::Array{}};
  for (const RequestTiming& request : requests) {
    if (request.outcome == RequestOutcome::kError && out.as_array().size() < kShown) {
      out.push_back(request.error);
    }
  }
  return out;
}

/// `base` by value: cases outlive the options they were made from.
RepOutcome measure(const BenchTarget& target, const ServeOptions& options, LoadPlan plan,
                   const std::string& name, std::int64_t rep) {
  plan.seed = target.seed + static_cast<std::uint64_t>(rep);  // the same in runs that are compared
  const LoadResult load =
      run_workload(target, workload_for(target, options.lengths, name, rep), plan);
  RepOutcome out;
  if (options.on_load) options.on_load(name, rep, load);
  if (load.requests.empty()) return out;
  const Window window = measured_window(load, plan, options.warm_up);
  Figures figures = figures_of(load.requests, window, options.slo);
  const Drift drift = drift_of(load.requests, window);
  figures.values.emplace_back("e2e_drift_share", drift.change);
  if (plan.rate_per_s > 0) {
    const double seconds = static_cast<double>(window.end_ns - window.begin_ns) / 1e9;
    figures.values.emplace_back("arrived_requests_per_s",
                                static_cast<double>(figures.requests) / seconds);
  }
  out.duration_ns = load.end_ns - load.begin_ns;
  for (const RequestTiming& request : load.requests) out.output_tokens += request.output_tokens;
  out.values = std::move(figures.values);
  out.detail.set("within_run", std::move(figures.within_run));
  out.detail.set("requests", figures.requests);
  out.detail.set("left_out", figures.outside);
  out.detail.set("window_begin_ns", window.begin_ns - load.begin_ns);
  out.detail.set("window_end_ns", window.end_ns - load.begin_ns);
  out.detail.set("steady", drift.steady);
  if (figures.errors > 0) out.detail.set("errors", errors_json(load.requests));
  add_judgement(options, load, out);
  return out;
}

/// One plan for each rate, concurrency or scenario.
std::vector<LoadPlan> plans_of(const ServeOptions& options) {
  const bool by_requests = options.requests > 0;
  LoadPlan base{.arrivals = options.arrivals,
                .requests = options.requests,
                .duration_s = by_requests ? 0 : options.duration_s,
                .most_in_flight = options.most_in_flight,
                .drain_s = options.drain_s};
  if (options.scenario == Scenario::kOffline) base.arrivals = Arrivals::kBurst;
  if (options.scenario == Scenario::kServer) base.arrivals = Arrivals::kPoisson;
  if (options.scenario == Scenario::kSingleStream) {
    base.arrivals = Arrivals::kClosed;
    base.concurrency = 1;
    return {base};
  }
  if (base.arrivals == Arrivals::kBurst) {
    if (!by_requests) throw_input("a burst needs a number of requests: --requests");
    return {base};
  }
  std::vector<LoadPlan> out;
  if (base.arrivals == Arrivals::kClosed) {
    for (const std::int64_t concurrency : options.concurrencies) {
      out.push_back(base);
      out.back().concurrency = concurrency;
    }
    if (out.empty()) throw_input("a closed loop needs --concurrency");
    return out;
  }
  for (const double rate : options.rates) {
    out.push_back(base);
    out.back().rate_per_s = rate;
  }
  if (out.empty()) throw_input("an open loop needs --rate (requests a second) or --sweep");
  return out;
}

double named(const RepOutcome& rep, std::string_view name, double otherwise) {
  for (const auto& [key, value] : rep.values) {
    if (key == name) return value;
  }
  return otherwise;
}

}  // namespace

std::vector<BenchCase> serve_cases(const BenchTarget& target, const ServeOptions& options) {
  std::vector<BenchCase> out;
  for (const LoadPlan& plan : plans_of(options)) {
    BenchCase bench;
    bench.name = case_name(options, plan);
    bench.kind = "serve";
    bench.params = params_of(target, options, plan);
    bench.measure = [&target, options, plan, name = bench.name](std::int64_t rep) {
      return measure(target, options, plan, name, rep);
    };
    out.push_back(std::move(bench));
  }
  return out;
}

double peak_rate(double start, double resolution, const std::function<bool(double)>& accepts) {
  double low = 0;
  double high = 0;
  double rate = start;
  for (int probe = 0; probe < kMostProbes; ++probe) {
    if (accepts(rate)) {
      low = rate;
    } else {
      high = rate;
    }
    if (high == 0) {
      rate = 2 * low;
    } else if (low == 0) {
      rate = high / 2;
      if (rate < start / 1024) break;
    } else if (high <= low * (1 + resolution)) {
      break;
    } else {
      rate = (low + high) / 2;
    }
  }
  return low;
}

bool carried(const RepOutcome& rep, const ServeOptions& options, double rate_per_s) {
  if (rep.values.empty()) return false;
  if (!options.slo.empty()) return named(rep, "slo_attainment", 0) >= options.slo_quantile;
  const double arrived = named(rep, "arrived_requests_per_s", rate_per_s);
  const Json* steady = rep.detail.find("steady");
  const bool drifts =
      steady != nullptr && !steady->as_bool() && named(rep, "e2e_drift_share", 0) > 0;
  return named(rep, "requests_per_s", 0) >= kKeepsUp * arrived && !drifts;
}

}  // namespace assay::suites
