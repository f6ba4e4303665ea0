// assay run SUITE: every model in every setting over every task of a suite, stored and resumable.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "cli/bench_common.h"
#include "cli/build_record.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/engine_options.h"
#include "cli/gate_files.h"
#include "cli/http_options.h"
#include "cli/processes.h"
#include "cli/run_gate.h"
#include "cli/sandbox_option.h"
#include "cli/store_path.h"
#include "cli/terminal.h"
#include "engine/generator.h"
#include "engine/numerics.h"
#include "evals/benchmark.h"
#include "evals/interval.h"
#include "store/store.h"
#include "suites/interrupt.h"
#include "suites/language_data.h"
#include "suites/runner.h"
#include "suites/summary.h"

namespace assay::cli {
namespace {

struct RunArguments {
  std::string suite;
  std::string db;
  std::string data;
  std::string model;
  std::string model_name;
  engine::HttpOptions http;
  std::vector<std::string> precision;
  std::optional<std::string> device;
  std::optional<std::string> kv;
  std::optional<int> tp;
  std::optional<bool> tp_invariant;
  bool fast = false;
  std::optional<int> dp;
  std::optional<int> threads;
  std::optional<std::int64_t> max_batch;
  std::optional<std::int64_t> max_context;
  std::optional<std::uint64_t> seed;
  std::optional<std::string> chat_format;
  std::optional<std::string> long_prompts;
  std::optional<std::string> calibrate;
  std::vector<std::string> tasks;
  std::string label;
  std::string branch;
  std::string revision;
  std::string gate;
  GateFiles gate_files;
  std::string policy;
  std::string progress = "auto";
  std::int64_t limit = 0;
  std::string shard;
  int score_threads = 2;
  bool fresh = false;
  bool dry_run = false;
  bool skip_bad = false;
  SandboxChoice sandbox;
  std::string launcher = "auto";
  bool json = false;
};

void add_options(CLI::App& command, RunArguments& a) {
  command.add_option("SUITE", a.suite, "Suite file (.jsonc)")->required();
  command.add_option("--db", a.db, "Result store")->envname("ASSAY_DB");
  command.add_option("--data", a.data, "Folder with the data sets")->envname("ASSAY_DATA");
  command
      .add_option("--model", a.model,
                  "Instead of the suite's models; folder, "
                  "replay:FILE, or the address of a server's API, several with commas")
      ->envname("ASSAY_MODEL");
  command
      .add_option("--precision", a.precision, "Instead of the suite's settings; may be repeated")
      ->envname("ASSAY_PRECISION");
  command.add_option("--kv", a.kv, "KV cache of every setting: bf16, fp8, fp8-tensor or fp8-head");
  command.add_option("--device", a.device, "cpu, cuda or auto")->envname("ASSAY_DEVICE");
  command.add_option("--tp", a.tp, "Tensor-parallel ranks")->check(CLI::Range(1, 1024));
  add_tp_invariant_flags(command, [&a](bool on) { a.tp_invariant = on; });
  add_fast_flag(command, a.fast);
  command.add_option("--dp", a.dp, "Copies of the model that answer different samples")
      ->check(CLI::Range(1, 1024));
  command.add_option("--threads", a.threads, "CPU threads; 0: all this process may use")
      ->envname("ASSAY_THREADS")
      ->check(CLI::Range(0, 4096));
  command.add_option("--chat-format", a.chat_format, "For models without a known chat template");
  command.add_option("--long-prompts", a.long_prompts, "error, or truncate the oldest tokens")
      ->check(CLI::IsMember({"error", "truncate"}));
  command.add_option("--calibrate", a.calibrate,
                     "Text file for static scales that the model has not");
  command.add_option("--max-batch", a.max_batch, "Sequences at once; 0: by memory");
  command.add_option("--max-context", a.max_context, "Longest sequence; 0: the model's");
  command.add_option("--seed", a.seed, "Of sampling");
  command.add_option("--task", a.tasks, "Only these tasks of the suite; may be repeated");
  command.add_option("--limit", a.limit, "At most so many samples a task")
      ->check(CLI::NonNegativeNumber);
  CLI::Option* shard = command.add_option(
      "--shard", a.shard,
      "Part i of n of every task, as 2/8; `assay runs import` puts all together");
  command.add_option("--label", a.label, "A name for people, stored with the runs");
  command.add_option("--branch", a.branch, "Of the work under test, stored with the runs")
      ->envname("ASSAY_BRANCH");
  command.add_option("--revision", a.revision, "Its commit")->envname("ASSAY_REVISION");
  CLI::Option* gate = command.add_option(
      "--gate", a.gate,
      "Judge against this baseline (as in `assay gate`), and stop a task once that is decided");
  gate->excludes(shard);
  command.add_option("--policy", a.policy, "File with \"gates\" (default: the suite's)")
      ->needs(gate);
  for (CLI::Option* file : add_gate_files(command, a.gate_files)) file->needs(gate);
  command.add_option("--progress", a.progress, "auto, bar, plain or none")
      ->check(CLI::IsMember({"auto", "bar", "plain", "none"}));
  command.add_option("--score-threads", a.score_threads, "Threads that score responses")
      ->check(CLI::Range(1, 256));
  command.add_flag("--dry-run", a.dry_run,
                   "Say what would be asked, and what it could find; ask and store nothing");
  command.add_flag("--new", a.fresh, "Start over instead of continuing an unfinished run");
  command.add_flag("--skip-bad", a.skip_bad, "Leave malformed records out and report them");
  add_sandbox_options(command, a.sandbox);
  add_launcher_option(command, a.launcher);
  add_http_options(command, a.model_name, a.http);
  command.add_flag("--json", a.json, "Print run ids and metrics as one JSON document");
}

/// Options win over the suite file.
void apply(const RunArguments& a, suites::Suite& suite) {
  if (!a.model.empty()) {
    suite.models = {{.path = a.model, .settings = suite.models.front().settings}};
  }
  if (!a.model_name.empty()) {
    for (suites::SuiteModel& model : suite.models) model.name = a.model_name;
  }
  for (suites::SuiteModel& model : suite.models) {
    if (engine::is_served(model.path) && (!a.precision.empty() || a.kv)) {
      throw_input("{}: --precision and --kv are the server's own; leave them out", model.path);
    }
    if (!a.precision.empty()) {
      model.settings.clear();
      for (const std::string& name : a.precision) {
        model.settings.push_back(suites::parse_setting_name(name));
      }
    }
    for (suites::Setting& setting : model.settings) setting.kv = a.kv.value_or(setting.kv);
  }
  suites::SuiteEngine& engine = suite.engine;
  engine.device = a.device.value_or(engine.device);
  engine.tp = a.tp.value_or(engine.tp);
  engine.tp_invariant = a.tp_invariant.value_or(engine.tp_invariant);
  engine.fast = a.fast || engine.fast;
  engine.dp = a.dp.value_or(engine.dp);
  engine.threads = a.threads.value_or(engine.threads);
  engine.max_batch = a.max_batch.value_or(engine.max_batch);
  engine.max_context = a.max_context.value_or(engine.max_context);
  engine.chat_format = a.chat_format.value_or(engine.chat_format);
  engine.long_prompts = a.long_prompts.value_or(engine.long_prompts);
  engine.calibrate = a.calibrate.value_or(engine.calibrate);
  suite.seed = a.seed.value_or(suite.seed);
  if (!a.tasks.empty()) {
    std::erase_if(suite.tasks, [&](const suites::SuiteTask& task) {
      const std::string full = task.task + "@" + task.protocol;
      return std::none_of(a.tasks.begin(), a.tasks.end(), [&](const std::string& name) {
        return name == task.task || name == full;
      });
    });
    if (suite.tasks.empty()) throw_input("{}: no task of the suite is left by --task", a.suite);
  }
}

suites::ProgressStyle progress_style(const std::string& name) {
  if (name == "bar") return suites::ProgressStyle::kBar;
  if (name == "plain") return suites::ProgressStyle::kPlain;
  if (name == "none") return suites::ProgressStyle::kNone;
  return suites::default_progress_style();
}

/// The data folder: the option or ASSAY_DATA, else the suite's.
std::filesystem::path data_folder(const RunArguments& a, const suites::Suite& suite) {
  if (!a.data.empty()) return a.data;
  if (!suite.data.empty() || suite.tasks.empty()) return suite.data;
  throw_input("{}: no data folder: give --data, ASSAY_DATA or \"data\" in the suite", a.suite);
}

/// A store that this command made and that got no run is taken away again.
class FreshStoreGuard {
 public:
  explicit FreshStoreGuard(std::filesystem::path path)
      : path_(std::move(path)), existed_(std::filesystem::exists(path_)) {}
  ~FreshStoreGuard() {
    if (existed_ || used_) return;
    store::remove_unused_store(path_);
  }
  FreshStoreGuard(const FreshStoreGuard&) = delete;
  FreshStoreGuard& operator=(const FreshStoreGuard&) = delete;
  FreshStoreGuard(FreshStoreGuard&&) = delete;
  FreshStoreGuard& operator=(FreshStoreGuard&&) = delete;
  void keep() { used_ = true; }

 private:
  std::filesystem::path path_;
  bool existed_;
  bool used_ = false;
};

suites::RunnerOptions runner_options(const RunArguments& a, const suites::Suite& suite,
                                     engine::ProcessGroup* processes) {
  suites::RunnerOptions options;
  options.plan = {.data = data_folder(a, suite), .skip_bad = a.skip_bad, .limit = a.limit};
  if (!a.shard.empty()) options.plan.shard = suites::parse_shard(a.shard);
  options.fresh = a.fresh;
  options.progress = progress_style(a.progress);
  options.score_threads = a.score_threads;
  options.label = a.label;
  options.branch = a.branch;
  options.revision = a.revision;
  options.build = build_record();
  options.make_generator = [http = a.http, processes](engine::EngineOptions engine) {
    engine.http = http;
    engine.processes = processes;
    return engine::make_generator(engine);
  };
  options.make_session = [http = a.http, processes](engine::EngineOptions engine) {
    engine.http = http;
    engine.processes = processes;
    return engine::make_session(engine);
  };
  options.restarts = processes == nullptr;
  options.measure_numerics = engine::measure_numerics;
  return options;
}

/// What the scorers of the suite's tasks need beside the responses.
struct Scorers {
  std::unique_ptr<evals::Sandbox> sandbox;
  std::unique_ptr<const evals::LanguageData> language;
  std::vector<std::string> refused;  // tasks that this machine cannot run
};

bool runs_code(const suites::SuiteTask& task) {
  return evals::find_benchmark(task.task).runs_code();
}

/// The sandbox, where a task of the suite needs one. A machine that allows none refuses such tasks,
/// named in `refused` and taken out of the suite; the others do not need it.
/// Throws: Error(kEnvironment) when no other task is left.
std::unique_ptr<evals::Sandbox> make_sandbox(const RunArguments& a, suites::Suite& suite,
                                             std::vector<std::string>& refused) {
  if (std::none_of(suite.tasks.begin(), suite.tasks.end(), runs_code)) return nullptr;
  try {
    return evals::make_sandbox(a.sandbox.options(a.score_threads));
  } catch (const Error& error) {
    if (std::all_of(suite.tasks.begin(), suite.tasks.end(), runs_code)) throw;
    for (const suites::SuiteTask& task : suite.tasks) {
      if (runs_code(task)) refused.push_back(task.task);
    }
    std::erase_if(suite.tasks, runs_code);
    log_warning("{} is left out: {}", join(refused, ", "), error.what());
    return nullptr;
  }
}

Scorers make_scorers(const RunArguments& a, suites::Suite& suite, suites::RunnerOptions& options) {
  Scorers out;
  out.sandbox = make_sandbox(a, suite, out.refused);
  for (const suites::SuiteTask& task : suite.tasks) {
    if (!out.language && suites::uses_language_data(task.task)) {
      out.language = suites::load_language_data(suites::language_folders(options.plan.data));
      options.language_data = out.language->status;
    }
  }
  options.scoring.sandbox = out.sandbox.get();
  options.scoring.language = out.language.get();
  return out;
}

/// One line a task: what was measured, with its interval.
void print_text(const store::RunRecord& run, const std::vector<suites::TaskSummary>& tasks) {
  fmt::print("{}  {}  {}\n", run.name, escaped(run.model.name),
             suites::setting_name({.precision = run.setting, .kv = run.kv}));
  for (const suites::TaskSummary& task : tasks) {
    for (const evals::MetricValue& metric : task.aggregate.metrics) {
      const auto interval = evals::interval95(metric);
      fmt::print("  {:<24} {:<22} {:6.2f}%{}\n", task.task.name + "@" + task.task.protocol,
                 metric.name, 100 * metric.value,
                 interval
                     ? fmt::format("  [{:.2f}, {:.2f}]", 100 * interval->low, 100 * interval->high)
                     : "");
    }
    const std::int64_t planned = task.task.items * task.task.repeats;
    if (const Json* shard = run.inputs.find(store::kShard); shard != nullptr) {
      fmt::print("  {:<24} shard {} only: {} of the responses\n", "", shard->as_string(), planned);
    }
    if (run.inputs.find(store::kGateBaseline) != nullptr && task.aggregate.responses < planned) {
      fmt::print("  {:<24} stopped early: figures of {} of {} responses\n", "",
                 task.aggregate.responses, planned);
    }
    if (task.aggregate.unscored > 0) {
      fmt::print("  {:<24} {} of {} not scored\n", "", task.aggregate.unscored,
                 task.aggregate.responses);
    }
  }
}

void print_results(const std::vector<suites::RunReport>& reports, const store::Store& store,
                   const std::vector<reports::GateReport>& gates, bool json) {
  Json runs{Json::Array{}};
  for (const suites::RunReport& report : reports) {
    const store::RunRecord run = store.load_run(report.run);
    const std::vector<suites::TaskSummary> tasks = suites::summarize(store, run.row);
    const std::vector<store::BenchCaseRecord> benches = store.load_bench(run.row);
    if (json) {
      runs.push_back(suites::run_json(run, tasks));
      Json cases{Json::Array{}};
      for (const store::BenchCaseRecord& bench : benches) {
        cases.push_back(suites::case_json(run.name, bench));
      }
      if (!benches.empty()) runs.as_array().back().set("benches", std::move(cases));
    } else {
      print_text(run, tasks);
      print_cases(benches);
    }
  }
  if (!json) {
    for (const reports::GateReport& gate : gates) {
      fmt::print("{}", escaped_lines(reports::gate_text(gate)));
    }
    return;
  }
  Json document;
  document.set("runs", std::move(runs));
  Json list{Json::Array{}};
  for (const reports::GateReport& gate : gates) list.push_back(reports::gate_json(gate));
  if (!gates.empty()) document.set("gates", std::move(list));
  fmt::print("{}\n", document.dump());
}

ExitCode run(const RunArguments& a, engine::ProcessGroup* processes) {
  suites::Suite suite = suites::load_suite(a.suite);
  apply(a, suite);
  suite.engine.tp = ranks_of(processes, suite.engine.tp);
  suites::RunnerOptions options = runner_options(a, suite, processes);
  if (a.dry_run) {
    print_dry_run(suite, options.plan, a.json);
    return ExitCode::kOk;
  }
  std::optional<RunGate> gate;
  if (!a.gate.empty()) gate.emplace(a.gate, a.policy, suite);
  const Scorers scorers = make_scorers(a, suite, options);
  suites::install_interrupt_handlers();
  const std::filesystem::path path = store_path(a.db, true);
  FreshStoreGuard guard(path);
  std::vector<suites::RunReport> reports;
  std::vector<reports::GateReport> gates;
  {
    store::Store store = store::Store::open(path, store::OpenMode::kCreate);
    if (gate) gate->attach(store, options);
    try {
      reports = suites::run_suite(suite, store, options);
    } catch (const Error&) {
      if (!store.list_runs().empty()) guard.keep();
      throw;
    }
    guard.keep();
    if (gate) gates = gate->judge(store, reports);
    write_gate_files(gates, a.gate_files);
    print_results(reports, store, gates, a.json);
  }
  std::int64_t unscored = 0;
  bool left_out = !scorers.refused.empty();
  for (const suites::RunReport& report : reports) {
    unscored += report.unscored;
    left_out = left_out || !report.refused.empty();
  }
  if (!scorers.refused.empty()) {
    log_warning("{} was left out: no sandbox (see above)", join(scorers.refused, ", "));
  }
  if (unscored <= suite.allowed_errors) {
    return left_out ? ExitCode::kIncomplete : worst_exit_code(gates);
  }
  log_warning(
      "{} responses could not be evaluated, {} are allowed; the same command tries them again",
      unscored, suite.allowed_errors);
  return ExitCode::kIncomplete;
}

}  // namespace

void add_run(CLI::App& app, Chosen& chosen) {
  CLI::App* command =
      app.add_subcommand("run", "Run a suite: ask, score and store; continues what was cut short");
  auto arguments = std::make_shared<RunArguments>();
  add_options(*command, *arguments);
  command->callback([&chosen, arguments] {
    chosen.action = [arguments] {
      const auto lead = [&](engine::ProcessGroup* group) { return run(*arguments, group); };
      return with_processes(arguments->launcher, arguments->threads.value_or(0), lead);
    };
  });
}

}  // namespace assay::cli
