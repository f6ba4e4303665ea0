// assay bench serve: a stream of requests to the built-in session or to a server.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "cli/bench_common.h"
#include "cli/store_path.h"
#include "suites/bench/serve.h"
#include "suites/interrupt.h"

namespace assay::cli {
namespace {

struct ServeArguments : BenchArguments {
  suites::ServeOptions options;
  std::string arrivals = "poisson";
  std::int64_t input = 128;
  std::int64_t output = 64;
  std::string lengths;
  std::string scenario;
  std::string limits;
  std::string count_from = "scheduled";
  double ttft_ms = 0;
  double tpot_ms = 0;
  double e2e_ms = 0;
  double min_duration_s = 600;
  double resolution = 0.1;
  bool sweep = false;
  std::string timings;
};

std::optional<double> limit_of(double value) {
  return value > 0 ? std::optional<double>(value) : std::nullopt;
}

suites::ServeOptions options_of(const ServeArguments& a) {
  suites::ServeOptions out = a.options;
  out.arrivals = suites::parse_arrivals(a.arrivals);
  if (!out.concurrencies.empty()) out.arrivals = suites::Arrivals::kClosed;
  out.lengths = {{.input = a.input, .output = a.output}};
  if (!a.lengths.empty()) out.lengths = lengths_from(a.lengths, a.db);
  out.slo = {.ttft_ms = limit_of(a.ttft_ms),
             .tpot_ms = limit_of(a.tpot_ms),
             .e2e_ms = limit_of(a.e2e_ms),
             .from_scheduled = a.count_from == "scheduled"};
  if (!a.limits.empty()) {
    const suites::MlperfLimits& limits = suites::find_mlperf_limits(a.limits);
    out.slo.ttft_ms = limits.ttft_ms;
    out.slo.tpot_ms = limits.tpot_ms;
  }
  if (!a.scenario.empty()) out.scenario = suites::parse_scenario(a.scenario);
  out.rules.ttft_ms = out.slo.ttft_ms;
  out.rules.tpot_ms = out.slo.tpot_ms;
  out.rules.min_duration_s = a.min_duration_s;
  out.rules.percentile = out.slo_quantile;
  const bool server = out.scenario == suites::Scenario::kServer;
  if (server && !out.rules.ttft_ms && !out.rules.tpot_ms) {
    throw_input("the server scenario needs limits: --mlperf-limits, or --slo-ttft and --slo-tpot");
  }
  return out;
}

const char* outcome_name(suites::RequestOutcome outcome) {
  switch (outcome) {
    case suites::RequestOutcome::kDone:
      return "done";
    case suites::RequestOutcome::kError:
      return "error";
    case suites::RequestOutcome::kUnfinished:
      return "unfinished";
  }
  return "";
}

/// A line a request, times in nanoseconds from the load's begin.
void write_timings(std::ofstream& out, const std::string& name, std::int64_t rep,
                   const suites::LoadResult& load) {
  const auto since = [&](std::int64_t at) {
    return at == 0 ? Json(nullptr) : Json(at - load.begin_ns);
  };
  for (std::size_t i = 0; i < load.requests.size(); ++i) {
    const suites::RequestTiming& r = load.requests[i];
    Json line;
    line.set("case", name);
    line.set("rep", rep);
    line.set("request", i);
    line.set("scheduled_ns", since(r.scheduled_ns));
    line.set("sent_ns", since(r.sent_ns));
    line.set("first_ns", since(r.first_ns));
    line.set("last_ns", since(r.last_ns));
    line.set("input_tokens", r.input_tokens);
    line.set("cached_tokens", r.cached_tokens);
    line.set("output_tokens", r.output_tokens);
    line.set("outcome", outcome_name(r.outcome));
    if (!r.error.empty()) line.set("error", escaped(r.error));
    out << line.dump() << '\n';
  }
  out.flush();
}

/// One repetition at a rate, kept among the cases that are stored: whether it was carried, or
/// nothing where that was not seen.
std::optional<bool> probe(const ServeArguments& a, BenchModel& model, suites::ServeOptions options,
                          double rate, suites::Measured& all) {
  options.rates = {rate};
  suites::MeasureOptions measuring = measure_options(a, model);
  measuring.starts = measuring.reps = 1;
  suites::Measured one =
      suites::measure_cases(suites::serve_cases(model.target(), options), measuring);
  if (one.cases.empty()) return std::nullopt;
  const store::BenchRepRecord& rep = one.cases.front().reps.front();
  if (rep.values.empty()) {
    all.remarks.push_back(
        fmt::format("at {:.4g} requests/s none arrives in the measured window: the search for the "
                    "highest rate ends here; take a longer --duration",
                    rate));
    return std::nullopt;
  }
  const bool accepted =
      suites::carried({.values = rep.values, .detail = rep.detail}, options, rate);
  log_info("{:.4g} requests/s: {}", rate, accepted ? "carried" : "too much");
  all.interrupted = all.interrupted || one.interrupted;
  for (std::string& remark : one.remarks) all.remarks.push_back(std::move(remark));
  for (store::BenchCaseRecord& bench : one.cases) all.cases.push_back(std::move(bench));
  return accepted;
}

/// The highest rate that is carried; then that rate, with all repetitions.
suites::Measured sweep(const ServeArguments& a, BenchModel& model, suites::ServeOptions options) {
  if (options.arrivals == suites::Arrivals::kClosed) {
    throw_input("--sweep raises the rate of an open loop; give several --concurrency instead");
  }
  const suites::InterruptibleWork work;  // between two rates too
  const double start = options.rates.empty() ? 1 : options.rates.front();
  suites::Measured probes;
  bool complete = true;
  const double peak = suites::peak_rate(start, a.resolution, [&](double rate) {
    if (!complete) return false;
    const std::optional<bool> carried = probe(a, model, options, rate, probes);
    complete = carried.has_value() && !suites::interrupted();
    return carried.value_or(false);
  });
  suites::Measured out;
  if (peak > 0 && complete) {
    options.rates = {peak};
    out = suites::measure_cases(suites::serve_cases(model.target(), options),
                                measure_options(a, model));
  }
  // A search that was cut short has found no peak.
  if (complete) {
    store::BenchRepRecord found;
    found.values.emplace_back("peak_rate_per_s", peak);
    store::BenchCaseRecord summary{.name = "serve/sweep", .kind = "serve"};
    summary.params = suites::lengths_json(options.lengths);
    summary.reps.push_back(std::move(found));
    out.cases.push_back(std::move(summary));
  }
  for (store::BenchCaseRecord& bench : probes.cases) {
    bench.name = bench.name.replace(0, std::string("serve").size(), "serve/sweep");
    out.cases.push_back(std::move(bench));
  }
  out.remarks.insert(out.remarks.end(), probes.remarks.begin(), probes.remarks.end());
  out.interrupted = out.interrupted || suites::interrupted();
  return out;
}

Json definition_of(const suites::ServeOptions& options, bool swept) {
  Json out = suites::lengths_json(options.lengths);
  out.set("arrivals", suites::arrivals_name(options.arrivals));
  Json rates{Json::Array{}};
  for (const double rate : options.rates) rates.push_back(rate);
  out.set("rates", std::move(rates));
  Json concurrencies{Json::Array{}};
  for (const std::int64_t value : options.concurrencies) concurrencies.push_back(value);
  out.set("concurrencies", std::move(concurrencies));
  out.set("duration_s", options.duration_s);
  out.set("requests", options.requests);
  out.set("sweep", swept);
  return out;
}

ExitCode serve(const ServeArguments& a) {
  suites::ServeOptions options = options_of(a);
  std::ofstream timings;
  if (!a.timings.empty()) {
    timings.open(a.timings);
    if (!timings) throw_input("--timings {}: cannot be written", escaped(a.timings, 400));
    options.on_load = [&](const std::string& name, std::int64_t rep,
                          const suites::LoadResult& load) {
      write_timings(timings, name, rep, load);
    };
  }
  BenchModel model(a);
  suites::install_interrupt_handlers();
  suites::Measured measured =
      a.sweep ? sweep(a, model, options)
              : suites::measure_cases(suites::serve_cases(model.target(), options),
                                      measure_options(a, model));
  return finish_bench(a, bench_run(a, model, "bench serve", definition_of(options, a.sweep)),
                      std::move(measured));
}

void add_load_options(CLI::App& command, ServeArguments& a) {
  command.add_option("--arrivals", a.arrivals, "poisson, constant, closed or burst");
  command.add_option("--rate", a.options.rates, "Requests a second; several: 1,2,4")
      ->delimiter(',')
      ->check(CLI::Range(1e-6, 1e9));
  command
      .add_option("--concurrency", a.options.concurrencies,
                  "Closed loop with so many in flight; several: 1,8,64")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--input", a.input, "Tokens of a prompt")->check(CLI::Range(1, 1 << 24));
  command.add_option("--output", a.output, "Tokens of an answer")->check(CLI::Range(1, 1 << 24));
  command.add_option("--lengths", a.lengths,
                     "Draw both from a file with {\"input\": N, \"output\": N} in each line, or "
                     "from a stored run: run:NAME");
  command.add_option("--duration", a.options.duration_s, "Seconds of arrivals, warm-up included")
      ->check(CLI::Range(0.001, 1e7));
  command.add_option("--requests", a.options.requests, "So many requests instead of a duration")
      ->check(CLI::Range(1, 1 << 30));
  command.add_option("--warm-up", a.options.warm_up.seconds, "Seconds left out at the start")
      ->check(CLI::Range(0.0, 1e6));
  command
      .add_option("--most-in-flight", a.options.most_in_flight,
                  "Open loop: further requests wait, their clock running")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--drain", a.options.drain_s, "Seconds to wait for the last answers")
      ->check(CLI::Range(0.001, 1e6));
  command.add_option("--timings", a.timings, "Write the four times of every request, a line each");
  command.add_flag("--sweep", a.sweep, "Find the highest rate that is carried, from --rate up");
  command.add_option("--resolution", a.resolution, "Of the sweep: 0.1 is within 10 %")
      ->check(CLI::Range(0.001, 1.0));
}

void add_limit_options(CLI::App& command, ServeArguments& a) {
  command.add_option("--slo-ttft", a.ttft_ms, "Limit of the time to first token, ms");
  command.add_option("--slo-tpot", a.tpot_ms, "Limit of the time per output token, ms");
  command.add_option("--slo-e2e", a.e2e_ms, "Limit of the whole answer, ms");
  command.add_option("--slo-from", a.count_from, "Limits count from: scheduled or sent")
      ->check(CLI::IsMember({"scheduled", "sent"}));
  command.add_option("--slo-quantile", a.options.slo_quantile, "Share that must keep the limits")
      ->check(CLI::Range(0.5, 0.9999));
  command.add_option("--scenario", a.scenario, "MLPerf's: offline, server or single-stream");
  command.add_option("--mlperf-limits", a.limits,
                     "TTFT and TPOT of MLPerf's rules: llama2-70b-server ...");
  command.add_option("--min-duration", a.min_duration_s, "MLPerf's, seconds")
      ->check(CLI::Range(0.0, 1e6));
  command.add_option("--min-samples", a.options.rules.min_samples, "MLPerf's, offline")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_bench_serve(CLI::App& bench, Chosen& chosen) {
  CLI::App* command = bench.add_subcommand(
      "serve", "A stream of requests: rates, concurrency, goodput under limits, MLPerf scenarios");
  auto a = std::make_shared<ServeArguments>();
  a->bounds = false;           // none of a stream's figures has one
  a->usual_reps_of_start = 1;  // of a minute
  add_bench_model_options(*command, *a);
  add_starts_option(*command, *a);
  add_bench_options(*command, *a);
  add_load_options(*command, *a);
  add_limit_options(*command, *a);
  command->callback(
      [&chosen, a] { chosen.action = [a] { return bench_on_processes(*a, serve); }; });
}

}  // namespace assay::cli
