#include "suites/runner.h"

#include <algorithm>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "suites/interrupt.h"
#include "suites/point.h"
#include "suites/point_bench.h"
#include "suites/records.h"
#include "suites/space.h"

namespace assay::suites {
namespace {

constexpr std::size_t kMostTextBytes = std::size_t{64} << 20;
constexpr const char* kReference = "bf16";  // of numeric comparisons

/// The run of an identity that was made last, if there is one. By its row: clocks may jump.
const store::RunRecord* newest(const std::vector<store::RunRecord>& runs,
                               const std::string& identity) {
  const store::RunRecord* found = nullptr;
  for (const store::RunRecord& run : runs) {
    if (run.identity != identity) continue;
    if (found == nullptr || run.row > found->row) found = &run;
  }
  return found;
}

Json run_inputs(const Suite& suite, const engine::ModelInfo& model,
                std::span<const PlannedTask* const> tasks, const RunnerOptions& options) {
  Json out;
  out.set("suite", suite.sha256);
  out.set("model", model.digest);
  out.set("tokenizer", model.tokenizer_digest);
  out.set("setting", model.setting + "/" + model.kv);
  out.set("arithmetic", model.device + "/" + model.arithmetic);
  out.set("assay version", options.build.version);
  for (const PlannedTask* each : tasks) {
    const PlannedTask& task = *each;
    out.set("data of " + task.label(), task.data_sha256);
    out.set("samples of " + task.label(), std::to_string(task.samples.size()));
    if (task.templates) out.set("prompts of " + task.label(), task.templates->sha256);
  }
  return out;
}

Json engine_json(const engine::EngineOptions& options) {
  Json out;
  out.set("model", options.model);
  if (engine::is_served(options.model)) {
    out.set("model_name", options.model_name);
    out.set("max_batch", options.max_batch);
    out.set("stream", options.http.stream);
    out.set("attempts", options.http.attempts);
    out.set("tls_verified", !options.http.insecure);
    return out;
  }
  out.set("device", options.device);
  out.set("precision", options.precision);
  out.set("kv", options.kv);
  out.set("tp", options.tp);
  out.set("tp_invariant", options.tp_invariant);
  out.set("fast", options.fast);
  out.set("dp", options.dp);
  out.set("threads", options.threads);
  out.set("max_batch", options.max_batch);
  out.set("max_context", options.max_context);
  out.set("prefix_cache", options.prefix_cache);
  out.set("chat_format", options.chat_format);
  out.set("long_prompts", options.long_prompts);
  if (!options.calibrate.empty()) out.set("calibrate", options.calibrate);
  return out;
}

/// Runs one suite; holds what all its points share.
class SuiteRun {
 public:
  SuiteRun(const Suite& suite, store::Store& store, const RunnerOptions& options)
      : suite_(suite), store_(store), options_(options) {}

  std::vector<RunReport> run() {
    for (const SuiteTask& task : suite_.tasks) {
      tasks_.push_back(plan_task(task, options_.plan));
      for (const datasets::BadRecord& bad : tasks_.back().bad) {
        log_warning("{}: left out: {}", bad.place, bad.reason);
      }
    }
    const std::vector<RunPoint> points = run_points(suite_);
    warn_if_space_is_short(
        store_.path(), estimated_store_bytes(tasks_) * static_cast<std::int64_t>(points.size()));
    const std::vector<store::RunRecord> runs = store_.list_runs();
    const bool resume = continues_earlier(points, runs);
    std::vector<RunReport> reports;
    for (const RunPoint& point : points) {
      const store::RunRecord* earlier =
          resume ? newest(runs, run_identity(suite_, point, options_)) : nullptr;
      if (earlier != nullptr && is_done(*earlier) && earlier->suite_digest != suite_.sha256) {
        earlier = nullptr;
      }
      reports.push_back(run_point(point, earlier));
    }
    return reports;
  }

 private:
  RunReport run_point(const RunPoint& point, const store::RunRecord* earlier) {
    RunReport report;
    report.setting = setting_name(point.setting);
    if (earlier != nullptr && is_done(*earlier)) {
      log_info("{}: finished earlier as run {}", report.setting, earlier->name);
      report.run = earlier->name;
      report.model = earlier->model.name;
      report.already_done = true;
      add_numerics(earlier->row, engine_options(suite_, point));
      return report;
    }
    const engine::EngineOptions engine = engine_options(suite_, point);
    // Where nothing is asked, the model is opened once, for its speed alone.
    std::unique_ptr<engine::Generator> model;
    std::unique_ptr<engine::Session> session;
    if (tasks_.empty()) {
      session = speed_session(engine);
    } else {
      model = options_.make_generator(engine);
      report.refused = choose_tasks(*model, point);
    }
    store::RunRecord run = new_run(point, engine, model ? model->info() : session->info());
    const EarlyStopping stopping = early_stopping(run, earlier);
    run = earlier != nullptr ? continued(*earlier, run.inputs) : stored(run);
    report.run = run.name;
    report.model = run.model.name;
    if (model) report.unscored = execute_point(store_, run, *model, kept_, options_, stopping);
    model.reset();                           // two models may not fit
    std::optional<store::RunWriter> writer;  // leaves the run interrupted when it is cut short
    if (tasks_.empty()) writer.emplace(store_, run.row, run.machine);
    if (suite_.bench && store_.load_bench(run.row).empty()) {
      if (!session) session = speed_session(engine);
      const bool served = engine::is_served(engine.model);
      SessionMaker again;
      if (options_.restarts && !served) again = [&] { return speed_session(engine); };
      bench_point(store_, run, std::move(session), again, served, *suite_.bench);
    }
    session.reset();
    add_numerics(run.row, engine);
    if (writer) {
      writer->finish(store::RunStatus::kDone, {.peak_memory_bytes = peak_memory_bytes()});
    }
    return report;
  }

  /// Leaves out the tasks that the model cannot be asked, and returns their names. All samples of a
  /// task ask in one form, so the first one tells. Throws: Error(kInput) when no task is left.
  std::vector<std::string> choose_tasks(const engine::Generator& model, const RunPoint& point) {
    std::vector<std::string> refused;
    kept_.clear();
    for (const PlannedTask& task : tasks_) {
      const std::string reason = model.refusal(make_request(task, 0, 0, suite_.seed));
      if (reason.empty()) {
        kept_.push_back(&task);
        continue;
      }
      refused.push_back(task.label());
      log_warning("{}: {} is left out: {}", point.model.path, task.label(), reason);
    }
    if (kept_.empty()) {
      throw_input("{}: cannot be asked any task of the suite: {}", point.model.path,
                  join(refused, ", "));
    }
    return refused;
  }

  /// Compares the setting with the reference on the suite's text, unless that is stored already.
  void add_numerics(std::int64_t run_row, engine::EngineOptions engine) {
    if (!suite_.numerics || !options_.measure_numerics) return;
    const SuiteNumerics& wanted = *suite_.numerics;
    const std::string text = read_file(wanted.text, kMostTextBytes);
    const std::string digest = sha256_hex(text);
    for (const store::NumericsRecord& known : store_.load_numerics(run_row)) {
      if (known.text_sha256 == digest) return;
    }
    engine.device = "cpu";  // the only one that shows its logits and layers
    store::NumericsRecord record = to_record(options_.measure_numerics(
        engine, {.text = text, .tokens = wanted.tokens, .window = wanted.window}));
    record.text_sha256 = digest;
    record.text_name = wanted.text.filename().string();
    record.window_tokens = wanted.window;
    record.reference = kReference;
    store_.add_numerics(run_row, record);
  }

  /// No prompt of a measurement is read twice, and looking for that costs time.
  [[nodiscard]] std::unique_ptr<engine::Session> speed_session(engine::EngineOptions engine) const {
    engine.prefix_cache = false;
    return options_.make_session(engine);
  }

  /// With the suite's measurements of speed, where it has some.
  [[nodiscard]] bool is_done(const store::RunRecord& run) const {
    return run.status == store::RunStatus::kDone &&
           (!suite_.bench || !store_.load_bench(run.row).empty());
  }

  /// A command that was cut short left some points unfinished or not begun; then the finished ones
  /// are kept. When all are finished (or none began), the command means a new measurement of all.
  [[nodiscard]] bool continues_earlier(const std::vector<RunPoint>& points,
                                       const std::vector<store::RunRecord>& runs) const {
    if (options_.fresh) return false;
    std::size_t done = 0;
    std::size_t unfinished = 0;
    for (const RunPoint& point : points) {
      const store::RunRecord* run = newest(runs, run_identity(suite_, point, options_));
      if (run == nullptr) continue;
      if (is_done(*run)) {
        done += run->suite_digest == suite_.sha256 ? 1 : 0;
      } else {
        ++unfinished;
      }
    }
    return unfinished > 0 || (done > 0 && done < points.size());
  }

  std::vector<store::RunTaskRecord> task_records() const {
    std::vector<store::RunTaskRecord> out;
    for (const PlannedTask* task : kept_) out.push_back(to_record(*task));
    return out;
  }

  /// Adds the baseline to the run's inputs. A run that is continued keeps the one it began with,
  /// also where a branch has a newer run by now.
  EarlyStopping early_stopping(store::RunRecord& run, const store::RunRecord* earlier) const {
    if (!options_.early_stopping) return {};
    EarlyStopping out =
        options_.early_stopping(earlier != nullptr ? *earlier : run, task_records());
    run.inputs.set(store::kGateBaseline, out.baseline);
    return out;
  }

  store::RunRecord continued(const store::RunRecord& earlier, const Json& inputs) const {
    const std::string changed = store::changed_inputs(earlier.inputs, inputs);
    if (!changed.empty()) {
      throw_input("{}: run {} is unfinished but was begun with another {}; use --new to start over",
                  store_.path().string(), earlier.name, changed);
    }
    log_info("continuing run {}", earlier.name);
    return earlier;
  }

  store::RunRecord stored(const store::RunRecord& run) {
    const std::vector<store::RunTaskRecord> tasks = task_records();
    return store_.load_run(store_.create_run(run, tasks));
  }

  store::RunRecord new_run(const RunPoint& point, const engine::EngineOptions& engine,
                           const engine::ModelInfo& model) const {
    store::RunRecord run;
    run.label = options_.label;
    run.identity = run_identity(suite_, point, options_);
    run.inputs = run_inputs(suite_, model, kept_, options_);
    if (options_.plan.shard.count > 1) mark_shard(point, run.inputs);
    run.suite_name = suite_.name;
    run.suite_digest = suite_.sha256;
    run.suite = suite_.definition;
    run.model = to_record(model);
    if (!point.model.label.empty()) run.model.name = point.model.label;
    run.build = options_.build;
    run.machine = to_record(this_machine());
    run.setting = model.setting;
    run.kv = model.kv;
    run.device = model.device;
    run.arithmetic = model.arithmetic;
    run.engine = engine_json(engine);
    run.seed = suite_.seed;
    if (options_.scoring.sandbox != nullptr) run.sandbox = options_.scoring.sandbox->strength();
    run.language_data = options_.language_data;
    run.branch = options_.branch;
    run.revision = options_.revision;
    return run;
  }

  /// What `assay runs import` needs to put the shards of a run together again.
  void mark_shard(const RunPoint& point, Json& inputs) const {
    const Shard& shard = options_.plan.shard;
    inputs.set(store::kShard, fmt::format("{}/{}", shard.index, shard.count));
    RunnerOptions whole = options_;
    whole.plan.shard = {};
    inputs.set(store::kWholeRun, run_identity(suite_, point, whole));
  }

  const Suite& suite_;
  store::Store& store_;
  const RunnerOptions& options_;
  std::vector<PlannedTask> tasks_;
  std::vector<const PlannedTask*> kept_;  // those that the point's model can be asked
};

}  // namespace

std::vector<RunPoint> run_points(const Suite& suite) {
  std::vector<RunPoint> points;
  for (const SuiteModel& model : suite.models) {
    // A server's setting is its own: there is one point, whatever the suite lists.
    if (engine::is_served(model.path)) {
      points.push_back({.model = model, .setting = {}});
      continue;
    }
    for (const Setting& setting : model.settings) {
      points.push_back({.model = model, .setting = setting});
    }
  }
  return points;
}

std::vector<RunReport> run_suite(const Suite& suite, store::Store& store,
                                 const RunnerOptions& options) {
  return SuiteRun(suite, store, options).run();
}

}  // namespace assay::suites
