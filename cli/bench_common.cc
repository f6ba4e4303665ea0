#include "cli/bench_common.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/log.h"
#include "cli/build_record.h"
#include "cli/engine_options.h"
#include "cli/store_path.h"
#include "engine/parallel/thread_team.h"
#include "store/bench_values.h"
#include "store/store.h"
#include "suites/interrupt.h"

namespace assay::cli {
namespace {

// What is printed of a case; --json has everything.
constexpr std::array kHeadlines = {"ttft_ms_p50",
                                   "ttft_ms_p99",
                                   "ttft_bound_ms",
                                   "ttft_arrival_ms_p50",
                                   "ttft_arrival_ms_p99",
                                   "tpot_ms_p50",
                                   "tpot_ms_p99",
                                   "tpot_bound_ms",
                                   "itl_ms_p50",
                                   "itl_ms_p99",
                                   "e2e_ms_p50",
                                   "e2e_ms_p99",
                                   "e2e_arrival_ms_p99",
                                   "requests_per_s",
                                   "arrived_requests_per_s",
                                   "mean_concurrency",
                                   "input_tokens_per_s",
                                   "output_tokens_per_s",
                                   "output_tokens_per_s_bound",
                                   "total_tokens_per_s",
                                   "share_of_bound",
                                   "tpot_share_of_bound",
                                   "goodput_requests_per_s",
                                   "slo_attainment",
                                   "peak_rate_per_s",
                                   "energy_j_per_output_token",
                                   "output_tokens_per_j",
                                   "errors",
                                   "read_bytes_per_s",
                                   "copy_bytes_per_s",
                                   "fp32_flops_per_s",
                                   "bf16_flops_per_s",
                                   "fp8_flops_per_s",
                                   "time_ns",
                                   "bytes_per_s",
                                   "flops_per_s",
                                   "items_per_s",
                                   "share_of_roofline"};

bool shown(const suites::CaseFigure& figure) {
  const bool headline =
      std::find(kHeadlines.begin(), kHeadlines.end(), figure.metric) != kHeadlines.end();
  if (figure.metric == "errors") return figure.mean > 0;
  return headline || figure.metric.rfind("mlperf_", 0) == 0;
}

int threads_of(const engine::EngineOptions& engine) {
  return engine.threads > 0 ? engine.threads : engine::usable_cores();
}

std::optional<engine::Roofline> roofline_of(const engine::ModelInfo& info, int threads) {
  log_info("measuring what this machine can do");
  if (info.device == "cuda") return engine::measure_gpu_roofline();
  return engine::measure_cpu_roofline(threads);
}

Json engine_json(const engine::EngineOptions& engine) {
  Json out;
  out.set("model", engine.model);
  out.set("device", engine.device);
  out.set("precision", engine.precision);
  out.set("kv", engine.kv);
  out.set("tp", engine.tp);
  out.set("tp_invariant", engine.tp_invariant);
  out.set("fast", engine.fast);
  out.set("dp", engine.dp);
  out.set("threads", engine.threads);
  out.set("max_batch", engine.max_batch);
  out.set("max_context", engine.max_context);
  out.set("prefix_cache", engine.prefix_cache);
  return out;
}

}  // namespace

void add_bench_model_options(CLI::App& command, BenchArguments& a) {
  add_engine_options(command, a.engine);
  add_copies_option(command, a.engine);
  add_launcher_option(command, a.launcher);
}

void add_starts_option(CLI::App& command, BenchArguments& a) {
  command
      .add_option("--starts", a.starts,
                  fmt::format("Make the model anew so often; intervals and tests then count starts "
                              "[{}; a server: 1]",
                              suites::kUsualStarts))
      ->check(CLI::Range(1, 1000));
}

void add_bench_options(CLI::App& command, BenchArguments& a) {
  command.add_option("--db", a.db, "Result store")->envname("ASSAY_DB");
  command.add_option("--label", a.label, "Stored with the run");
  command.add_option("--branch", a.branch, "Of the work under test")->envname("ASSAY_BRANCH");
  command.add_option("--revision", a.revision, "Of the work under test")->envname("ASSAY_REVISION");
  command.add_option("--reps", a.reps, "Repetitions of every case after each start, interleaved")
      ->check(CLI::Range(1, 10'000));
  command
      .add_option("--allowed-noise", a.noise.foreign_cores,
                  "Cores that other processes may use before a repetition is left out")
      ->check(CLI::Range(0.0, 1e6));
  command
      .add_option("--allowed-drift", a.noise.drift,
                  "Share by which the machine's own speed may differ from what is usual in the run "
                  "before a repetition is left out")
      ->check(CLI::Range(0.0, 1.0));
  command.add_flag("--quiet", a.quiet, "No line for each repetition");
  command.add_flag("--json", a.json, "One JSON object a case");
}

BenchModel::BenchModel(const BenchArguments& a)
    : engine_(a.engine), remote_(engine::is_served(a.engine.model)) {
  if (a.starts.value_or(1) > 1 && !restarts()) {
    throw_input("--starts {}: {}", *a.starts,
                remote_ ? "a server is not started from here; measure it again after its own start"
                        : "for models of one process");
  }
  engine_.prefix_cache = false;  // no prompt is read twice, and finding that out costs time
  session_ = engine::make_session(engine_);
  target_ = {.session = session_.get(), .clock = &clock_, .seed = a.engine.seed};
  if (!remote_ && session_->info().device == "cpu" && engine_.processes == nullptr) {
    probe_ = std::make_unique<engine::SpeedProbe>(threads_of(engine_));
  }
  if (!remote_ && a.bounds) target_.roofline = roofline_of(session_->info(), threads_of(engine_));
}

void BenchModel::restart() {
  target_.session = nullptr;
  session_.reset();  // two models may not fit
  session_ = engine::make_session(engine_);
  target_.session = session_.get();
}

suites::MeasureOptions measure_options(const BenchArguments& a, BenchModel& model) {
  suites::MeasureOptions out{.restart = [&model] { model.restart(); }};
  out.starts = a.starts.value_or(model.restarts() ? suites::kUsualStarts : 1);
  out.reps = a.reps.value_or(out.starts > 1 ? a.usual_reps_of_start : suites::kUsualReps);
  out.noise = noise_limits(a, model.remote());
  if (model.probe() != nullptr) {
    out.machine_speed = [probe = model.probe()] { return probe->measure(); };
  }
  if (!a.quiet) {
    out.progress = [](const std::string& line) { log_info("{}", line); };
  }
  return out;
}

suites::NoiseLimits noise_limits(const BenchArguments& a, bool remote) {
  suites::NoiseLimits out = a.noise;
  out.foreign_counts = !remote;
  return out;
}

suites::BenchRun bench_run(const BenchArguments& a, const BenchModel& model,
                           const std::string& suite, Json definition) {
  suites::BenchRun run;
  run.suite = suite;
  run.definition = std::move(definition);
  suites::describe_model(model.session().info(), run);
  run.engine = engine_json(a.engine);
  run.seed = a.engine.seed;
  run.label = a.label;
  run.branch = a.branch;
  run.revision = a.revision;
  run.build = build_record();
  return run;
}

ExitCode finish_bench(const BenchArguments& a, const suites::BenchRun& run,
                      suites::Measured measured) {
  for (const std::string& remark : measured.remarks) log_warning("{}", remark);
  if (measured.cases.empty()) {
    throw Error(suites::interrupted() ? suites::interrupt_kind() : ErrorKind::kIncomplete,
                "nothing was measured");
  }
  store::Store store = store::Store::open(store_path(a.db, true), store::OpenMode::kCreate);
  const std::string name = suites::store_bench(store, run, measured);
  if (a.json) {
    for (const store::BenchCaseRecord& bench : measured.cases) {
      fmt::print("{}\n", suites::case_json(name, bench).dump());
    }
  } else {
    fmt::print("{}  {}  {}\n", name, run.model.name, run.setting);
    print_cases(measured.cases);
  }
  if (measured.interrupted) {
    throw Error(suites::interrupt_kind(),
                fmt::format("interrupted; what was finished is stored as run {}", name));
  }
  const bool all_valid =
      std::all_of(measured.cases.begin(), measured.cases.end(), [](const auto& bench) {
        return std::any_of(bench.reps.begin(), bench.reps.end(),
                           [](const auto& rep) { return rep.invalid_reason.empty(); });
      });
  return all_valid ? ExitCode::kOk : ExitCode::kIncomplete;
}

std::vector<suites::RequestLength> lengths_from(const std::string& source, const std::string& db) {
  const std::string run = "run:";
  if (source.rfind(run, 0) != 0) return suites::read_lengths(source);
  const store::Store store = store::Store::open(store_path(db, false), store::OpenMode::kReadOnly);
  return suites::stored_lengths(store, store.load_run(source.substr(run.size())));
}

void print_cases(const std::vector<store::BenchCaseRecord>& cases) {
  for (const store::BenchCaseRecord& bench : cases) {
    const auto invalid = std::count_if(bench.reps.begin(), bench.reps.end(),
                                       [](const auto& rep) { return !rep.invalid_reason.empty(); });
    const std::int64_t starts = bench.reps.empty() ? 1 : store::start_of(bench.reps.back()) + 1;
    fmt::print("{}  {} repetitions{}{}\n", bench.name, bench.reps.size(),
               starts > 1 ? fmt::format(" in {} starts", starts) : "",
               invalid > 0 ? fmt::format(", {} left out", invalid) : "");
    for (const suites::CaseFigure& figure : suites::figures_of(bench)) {
      if (!shown(figure)) continue;
      fmt::print("  {:<32} {:>12.5g}{}\n", figure.metric, figure.mean,
                 figure.interval ? fmt::format("  [{:.5g}, {:.5g}]", figure.interval->low,
                                               figure.interval->high)
                                 : "");
    }
  }
}

}  // namespace assay::cli
