// assay score TASK: scores responses that were generated elsewhere.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/build_record.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/sandbox_option.h"
#include "cli/store_path.h"
#include "evals/benchmark.h"
#include "evals/interval.h"
#include "suites/language_data.h"
#include "suites/plan.h"
#include "suites/score_file.h"
#include "suites/stored_score.h"

namespace assay::cli {
namespace {

struct ScoreOptions {
  suites::ScoreFileOptions file;
  std::string verdicts;
  bool json = false;
  SandboxChoice sandbox;
  std::string db;     // store the scored responses there; "" for not at all
  std::string model;  // name of what answered, in the store
};

void print_table(const suites::ScoredFile& scored) {
  const evals::Aggregate& aggregate = scored.aggregate;
  fmt::print("{}@{}: {} items, {} responses, {} unscored\n", scored.benchmark->name(),
             scored.protocol->name, aggregate.items, aggregate.responses, aggregate.unscored);
  for (const evals::MetricValue& metric : aggregate.metrics) {
    const auto interval = evals::interval95(metric);
    fmt::print("  {:<24} {:7.2f} %  ({:g} of {:g}){}\n", metric.name, 100 * metric.value,
               metric.count, metric.of,
               interval ? fmt::format("  95 %: {:.2f} to {:.2f}", 100 * interval->low,
                                      100 * interval->high)
                        : "");
  }
  if (scored.published) {
    fmt::print("  published verdicts: {} of {} agree, {} correct only here, {} only there\n",
               scored.published->agree, scored.published->compared, scored.published->only_ours,
               scored.published->only_theirs);
  }
  for (const auto& [name, metrics] : aggregate.groups) {
    if (metrics.empty()) continue;
    fmt::print("    {:<38} {:7.2f} %  ({:g} of {:g})\n", name, 100 * metrics.front().value,
               metrics.front().count, metrics.front().of);
  }
}

/// The sandbox for a task that runs model-written programs; null for the others.
std::unique_ptr<evals::Sandbox> sandbox_for(const ScoreOptions& options) {
  const std::string name = options.file.task.substr(0, options.file.task.find('@'));
  if (!evals::find_benchmark(name).runs_code()) return nullptr;
  return evals::make_sandbox(options.sandbox.options(options.file.threads));
}

/// The scored responses as a run of the store, for `assay compare`.
void store_run(const ScoreOptions& options, const suites::ScoredFile& scored,
               const std::string& sandbox) {
  const suites::ScoreFileOptions& file = options.file;
  std::int64_t repeats = 1;
  for (const suites::FileResponse& response : scored.responses) {
    repeats = std::max(repeats, response.repeat + 1);
  }
  const suites::PlannedTask plan =
      suites::plan_task({.task = std::string(scored.benchmark->name()),
                         .protocol = scored.protocol->name,
                         .split = file.split,
                         .groups = {},
                         .repeats = repeats,
                         .prompts = file.prompts,
                         .answer_after = file.answer_after,
                         .custom_data = file.custom_data},
                        {.data = file.data, .skip_bad = file.skip_bad});
  const std::string source = file.responses.empty() ? file.prompts : file.responses.string();
  store::Store store = store::Store::open(store_path(options.db, true), store::OpenMode::kCreate);
  const std::string name = suites::store_scored(
      store, scored, plan,
      {.model =
           options.model.empty() ? std::filesystem::path(source).stem().string() : options.model,
       .source = source,
       .source_sha256 = sha256_file(source),
       .sandbox = sandbox,
       .build = build_record()});
  log_info("stored as run {} of {}", name, escaped(store.path().string(), 400));
}

ExitCode score(const ScoreOptions& options) {
  suites::ScoreFileOptions file = options.file;
  std::unique_ptr<const evals::LanguageData> language;
  if (suites::uses_language_data(evals::parse_task_name(file.task).task)) {
    language = suites::load_language_data(suites::language_folders(file.data));
    file.language = language.get();
    log_info("{}", language->status);
  }
  const std::unique_ptr<evals::Sandbox> sandbox = sandbox_for(options);
  file.sandbox = sandbox.get();
  const suites::ScoredFile scored = suites::score_file(file);
  for (const datasets::BadRecord& bad : scored.bad) {
    log_warning("left out {}: {}", bad.place, bad.reason);
  }
  if (scored.unanswered > 0) {
    log_warning("{} samples of the data set have no response", scored.unanswered);
  }
  if (!options.verdicts.empty()) {
    std::string lines;
    for (std::size_t i = 0; i < scored.scores.size(); ++i) lines += scored.verdict(i).dump() + "\n";
    write_file_atomic(options.verdicts, lines);
  }
  if (!options.db.empty()) {
    store_run(options, scored, sandbox == nullptr ? "" : sandbox->strength());
  }
  if (options.json) {
    fmt::print("{}\n", scored.summary().dump());
  } else {
    print_table(scored);
  }
  return ExitCode::kOk;
}

}  // namespace

void add_score(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("score", "Score responses that were generated elsewhere");
  auto options = std::make_shared<ScoreOptions>();
  suites::ScoreFileOptions& file = options->file;
  command->add_option("TASK", file.task, "Task, as in gsm8k or mmlu@lm-eval")->required();
  command->add_option("--data", file.data, "Folder with one folder a data set")
      ->envname("ASSAY_DATA")
      ->required();
  command->add_option("--responses", file.responses, "JSON Lines: {\"id\", \"response\"}");
  command->add_option(
      "--prompts", file.prompts,
      "Published samples: verdicts are compared; without --responses, theirs count");
  command->add_option("--protocol", file.protocol, "Protocol; default: the one in TASK, or assay");
  command->add_option("--split", file.split, "Split of the data set; default: the protocol's");
  command->add_option("--answer-after", file.answer_after,
                      "The answer stands after the last occurrence of this text");
  command->add_option("--verdicts", options->verdicts, "Write one JSON line for each response");
  command->add_option("--db", options->db, "Also store the scored responses as a run, for compare");
  command->add_option("--model", options->model, "Name of what answered, in the store")
      ->needs("--db");
  command->add_option("--threads", file.threads, "Scoring threads")->check(CLI::Range(1, 256));
  command->add_flag("--custom-data", file.custom_data,
                    "Accept a data set whose digest is not the published one");
  command->add_flag("--skip-bad", file.skip_bad, "Leave out and count unusable records and lines");
  add_sandbox_options(*command, options->sandbox);
  command->add_flag("--json", options->json, "One JSON document on stdout");
  command->callback([&chosen, options] { chosen.action = [options] { return score(*options); }; });
}

}  // namespace assay::cli
