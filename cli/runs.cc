// assay runs: what the result store holds.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/store_path.h"
#include "cli/terminal.h"
#include "reports/baseline.h"
#include "store/export.h"
#include "store/store.h"
#include "suites/summary.h"

namespace assay::cli {
namespace {

struct RunsOptions {
  std::string db;
  std::string run;
  std::string tag;
  std::string reason;
  std::vector<std::string> files;
  bool json = false;
  bool no_times = false;
};

using Options = std::shared_ptr<RunsOptions>;

store::Store open_store(const RunsOptions& options, bool for_writing) {
  return store::Store::open(store_path(options.db, for_writing),
                            for_writing ? store::OpenMode::kReadWrite : store::OpenMode::kReadOnly);
}

ExitCode list(const RunsOptions& options) {
  const store::Store store = open_store(options, false);
  Json::Array documents;
  for (const store::RunRecord& run : store.list_runs()) {
    if (options.json) {
      documents.push_back(store::run_document(run, store.load_tasks(run.row)));
      continue;
    }
    std::string tags;
    for (const std::string& tag : run.tags) tags += " [" + tag + "]";
    fmt::print("{}  {:<11}  {:<12} {:<5} {}  {}{}\n", run.name, store::run_status_name(run.status),
               escaped(run.setting), escaped(run.kv), escaped(run.model.name),
               escaped(run.suite_name), tags);
  }
  if (options.json) fmt::print("{}\n", Json(std::move(documents)).dump());
  return ExitCode::kOk;
}

void print_run(const store::RunRecord& run, const std::vector<suites::TaskSummary>& tasks) {
  fmt::print("run {} ({}), {} attempts, {:.1f} s active, started {}\n", run.name,
             store::run_status_name(run.status), run.attempts,
             static_cast<double>(run.active_ns) / 1e9, run.started_at);
  fmt::print("model {} {:.12}, setting {}, kv {}, {}, seed {}\n", escaped(run.model.name),
             run.model.digest, escaped(run.setting), escaped(run.kv), escaped(run.device),
             run.seed);
  fmt::print("suite {} {:.12}, assay {} {}, machine {}\n", escaped(run.suite_name),
             run.suite_digest, escaped(run.build.version), escaped(run.build.git_commit),
             escaped(run.machine.machine_class));
  for (const suites::TaskSummary& task : tasks) {
    fmt::print("{}@{} version {}: {} of {} responses, {} unscored, {} cut at the length limit\n",
               escaped(task.task.name), escaped(task.task.protocol), task.task.protocol_version,
               task.aggregate.responses, task.task.items * task.task.repeats,
               task.aggregate.unscored, task.truncated);
    const Json metrics = suites::metrics_json(task.aggregate.metrics);
    for (const auto& [name, value] : metrics.as_object()) {
      const Json& interval = value.at("ci95");
      fmt::print("  {:<22} {:7.2f} %{}\n", escaped(name), 100 * value.at("value").as_double(),
                 interval.is_null() ? ""
                                    : fmt::format("  95 %: {:.2f} to {:.2f}",
                                                  100 * interval.as_array()[0].as_double(),
                                                  100 * interval.as_array()[1].as_double()));
    }
  }
}

ExitCode show(const RunsOptions& options) {
  const store::Store store = open_store(options, false);
  const store::RunRecord run = store.load_run(options.run);
  const std::vector<suites::TaskSummary> tasks = suites::summarize(store, run.row);
  if (!options.json) {
    print_run(run, tasks);
    return ExitCode::kOk;
  }
  Json document = store::run_document(run, store.load_tasks(run.row));
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Json& task = document.as_object().back().second.as_array().at(i);
    task.set("responses", tasks[i].aggregate.responses);
    task.set("unscored", tasks[i].aggregate.unscored);
    task.set("metrics", suites::metrics_json(tasks[i].aggregate.metrics));
  }
  fmt::print("{}\n", document.dump());
  return ExitCode::kOk;
}

ExitCode trend(const RunsOptions& options) {
  const store::Store store = open_store(options, false);
  const auto points = reports::find_trend(store, store.load_run(options.run));
  fmt::print("{}", options.json ? reports::trend_json(points).dump() + "\n"
                                : escaped_lines(reports::trend_text(points)));
  return ExitCode::kOk;
}

ExitCode export_run(const RunsOptions& options) {
  const store::Store store = open_store(options, false);
  const store::RunRecord run = store.load_run(options.run);
  for (const store::RunTaskRecord& task : store.load_tasks(run.row)) {
    store.for_each_sample(task.row, {}, [&](const store::SampleRecord& sample) {
      const std::string line = store::sample_json(task, sample, !options.no_times).dump() + "\n";
      if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
        throw_environment("standard output: cannot write");
      }
      return true;
    });
  }
  return ExitCode::kOk;
}

ExitCode import_runs(const RunsOptions& options) {
  store::Store store = store::Store::open(store_path(options.db, true), store::OpenMode::kCreate);
  std::vector<std::string> names;
  for (const std::string& file : options.files) {
    for (std::string& name : store.import_from(file)) names.push_back(std::move(name));
  }
  if (options.json) {
    Json::Array list(names.begin(), names.end());
    fmt::print("{}\n", Json(std::move(list)).dump());
  } else {
    fmt::print("{} runs imported\n", names.size());
    for (const std::string& name : names) fmt::print("  {}\n", name);
  }
  return ExitCode::kOk;
}

/// {"<done>": "<run>"} or a line for people.
void print_done(const RunsOptions& options, const std::string& done, const std::string& run) {
  Json document;
  document.set(done, run);
  fmt::print("{}\n", options.json ? document.dump() : done + " " + run);
}

ExitCode delete_run(const RunsOptions& options) {
  store::Store store = open_store(options, true);
  const store::RunRecord run = store.load_run(options.run);
  store.delete_run(run.row);
  print_done(options, "deleted", run.name);
  return ExitCode::kOk;
}

ExitCode tag_run(const RunsOptions& options) {
  store::Store store = open_store(options, true);
  const store::RunRecord run = store.load_run(options.run);
  store.set_tag(run.row, options.tag, options.reason);
  print_done(options, "tagged", run.name);
  return ExitCode::kOk;
}

ExitCode verify(const RunsOptions& options) {
  const store::Store store = open_store(options, false);
  const std::int64_t row = options.run.empty() ? 0 : store.load_run(options.run).row;
  const store::VerifyReport report = store.verify(row);
  if (options.json) {
    Json document;
    document.set("samples", report.samples);
    document.set("scores", report.scores);
    document.set("problems", Json(Json::Array(report.problems.begin(), report.problems.end())));
    fmt::print("{}\n", document.dump());
  } else {
    fmt::print("{} samples, {} scores: {}\n", report.samples, report.scores,
               report.problems.empty() ? "all sound" : "damaged");
    for (const std::string& problem : report.problems) fmt::print("  {}\n", escaped(problem));
  }
  if (report.problems.empty()) return ExitCode::kOk;
  throw_input("{}: {} problems; restore a copy", store.path().string(), report.problems.size());
}

CLI::App* add(CLI::App* group, Chosen& chosen, const Options& options, const char* name,
              const char* help, ExitCode (*work)(const RunsOptions&)) {
  CLI::App* command = group->add_subcommand(name, help);
  command->add_option("--db", options->db, "Result store (default: ./assay.db, else user's data)")
      ->envname("ASSAY_DB");
  command->add_flag("--json", options->json, "One JSON document on stdout");
  command->callback(
      [&chosen, options, work] { chosen.action = [options, work] { return work(*options); }; });
  return command;
}

}  // namespace

void add_runs(CLI::App& app, Chosen& chosen) {
  CLI::App* group = app.add_subcommand("runs", "The result store's content");
  group->require_subcommand(1);
  auto options = std::make_shared<RunsOptions>();
  const auto with_run = [&](CLI::App* command, bool required) {
    command->add_option("RUN", options->run, "Run id, unique part of it, or tag")
        ->required(required);
    return command;
  };
  add(group, chosen, options, "list", "Every run, newest first", list);
  with_run(add(group, chosen, options, "show", "One run with its provenance and metrics", show),
           true);
  with_run(
      add(group, chosen, options, "trend", "Runs like this one on its branch, oldest first", trend),
      true);
  CLI::App* exporting = with_run(
      add(group, chosen, options, "export", "One JSON line a sample, in a fixed order", export_run),
      true);
  exporting->add_flag("--no-times", options->no_times, "Leave out what differs between equal runs");
  add(group, chosen, options, "import", "Copy the runs of other stores, shards put together",
      import_runs)
      ->add_option("FILE", options->files, "Other result stores")
      ->required();
  with_run(add(group, chosen, options, "delete", "Delete a run with all its samples", delete_run),
           true);
  CLI::App* tag = with_run(
      add(group, chosen, options, "tag", "Give a run a name, such as a baseline's", tag_run), true);
  tag->add_option("TAG", options->tag, "Name; it moves from the run that had it")->required();
  tag->add_option("--reason", options->reason, "Why, kept in the tag's history");
  with_run(add(group, chosen, options, "verify", "Check every row against its digest", verify),
           false);
}

}  // namespace assay::cli
