// assay bench latency and assay bench throughput: the built-in engine or a server, without a
// schedule of arrivals.
#include <memory>

#include "cli/bench_common.h"
#include "suites/bench/latency.h"
#include "suites/bench/throughput.h"
#include "suites/interrupt.h"

namespace assay::cli {
namespace {

struct LatencyArguments : BenchArguments {
  suites::LatencyOptions options;
};

struct ThroughputArguments : BenchArguments {
  std::vector<std::int64_t> inputs = {512};
  std::vector<std::int64_t> outputs = {128};
  std::string lengths;
  suites::ThroughputOptions options;
};

Json list_json(const std::vector<std::int64_t>& values) {
  Json out{Json::Array{}};
  for (const std::int64_t value : values) out.push_back(value);
  return out;
}

/// Measures the cases and puts the machine's bounds in front of them.
ExitCode measure_and_finish(const BenchArguments& a, BenchModel& model,
                            const std::vector<suites::BenchCase>& cases,
                            const suites::BenchRun& run) {
  suites::install_interrupt_handlers();
  suites::Measured measured = suites::measure_cases(cases, measure_options(a, model));
  if (model.target().roofline) {
    measured.cases.insert(measured.cases.begin(), suites::roofline_case(*model.target().roofline));
  }
  return finish_bench(a, run, std::move(measured));
}

void add_min_time_option(CLI::App& command, double& min_time_s) {
  command
      .add_option("--min-time", min_time_s,
                  "A repetition repeats its requests for at least so many seconds")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
}

ExitCode latency(const LatencyArguments& a) {
  BenchModel model(a);
  Json definition;
  definition.set("batch", list_json(a.options.batches));
  definition.set("input", list_json(a.options.inputs));
  definition.set("output", list_json(a.options.outputs));
  definition.set("iterations", a.options.iterations);
  definition.set("min_time_s", a.options.min_time_s);
  return measure_and_finish(a, model, suites::latency_cases(model.target(), a.options),
                            bench_run(a, model, "bench latency", std::move(definition)));
}

ExitCode throughput(const ThroughputArguments& a) {
  suites::ThroughputOptions options = a.options;
  options.loads.clear();
  if (!a.lengths.empty()) {
    options.loads.push_back(lengths_from(a.lengths, a.db));
  } else {
    for (const std::int64_t input : a.inputs) {
      for (const std::int64_t output : a.outputs) {
        options.loads.push_back({{.input = input, .output = output}});
      }
    }
  }
  BenchModel model(a);
  Json definition;
  Json loads{Json::Array{}};
  for (const auto& load : options.loads) loads.push_back(suites::lengths_json(load));
  definition.set("lengths", std::move(loads));
  definition.set("requests", options.requests);
  definition.set("min_time_s", options.min_time_s);
  return measure_and_finish(a, model, suites::throughput_cases(model.target(), options),
                            bench_run(a, model, "bench throughput", std::move(definition)));
}

}  // namespace

void add_bench_latency(CLI::App& bench, Chosen& chosen) {
  CLI::App* command = bench.add_subcommand(
      "latency", "Batches of equal requests, one after the other: first token, time per token");
  auto a = std::make_shared<LatencyArguments>();
  add_bench_model_options(*command, *a);
  add_starts_option(*command, *a);
  add_bench_options(*command, *a);
  command->add_option("--batch", a->options.batches, "Requests sent at once; several: 1,8")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--input", a->options.inputs, "Tokens of a prompt; several: 128,1024")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("--output", a->options.outputs, "Tokens of an answer; several")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("--iterations", a->options.iterations, "Batches of one repetition, at least")
      ->check(CLI::Range(1, 1 << 20));
  add_min_time_option(*command, a->options.min_time_s);
  command->add_option("--warm-up", a->options.warm_up_s, "At most so many seconds for each case")
      ->check(CLI::Range(0.0, 1e6));
  command->callback(
      [&chosen, a] { chosen.action = [a] { return bench_on_processes(*a, latency); }; });
}

void add_bench_throughput(CLI::App& bench, Chosen& chosen) {
  CLI::App* command =
      bench.add_subcommand("throughput", "Offline: all requests at once, tokens a second");
  auto a = std::make_shared<ThroughputArguments>();
  add_bench_model_options(*command, *a);
  add_starts_option(*command, *a);
  add_bench_options(*command, *a);
  command->add_option("--input", a->inputs, "Tokens of a prompt; several: 128,1024")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("--output", a->outputs, "Tokens of an answer; several")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("--lengths", a->lengths,
                      "Draw both from a file with {\"input\": N, \"output\": N} in each line, or "
                      "from a stored run: run:NAME");
  command->add_option("--requests", a->options.requests, "Requests sent at once")
      ->check(CLI::Range(1, 1 << 24));
  add_min_time_option(*command, a->options.min_time_s);
  command->add_option("--warm-up", a->options.warm_up_s, "At most so many seconds for each case")
      ->check(CLI::Range(0.0, 1e6));
  command->callback(
      [&chosen, a] { chosen.action = [a] { return bench_on_processes(*a, throughput); }; });
}

}  // namespace assay::cli
