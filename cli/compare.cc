// assay compare RUN_A RUN_B ...: paired statistics between stored runs.
#include "reports/compare.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/store_path.h"
#include "cli/terminal.h"
#include "reports/numerics.h"

namespace assay::cli {
namespace {

struct CompareCommand {
  std::string db;
  std::vector<std::string> runs;
  std::string format = "text";
  std::string cluster = "source";
  bool json = false;
  bool numerics = false;
  reports::CompareOptions options;
};

/// Numbers of every run against its reference on the same text.
ExitCode compare_numerics(const CompareCommand& command, const store::Store& store) {
  std::vector<store::RunRecord> runs;
  for (const std::string& run : command.runs) runs.push_back(store.load_run(run));
  const std::vector<reports::NumericsRow> rows = reports::load_numerics_rows(store, runs);
  if (command.json) {
    fmt::print("{}\n", reports::numerics_json(rows).dump());
  } else if (command.format == "markdown") {
    fmt::print("{}", reports::numerics_markdown(rows));
  } else if (command.format == "csv") {
    fmt::print("{}", reports::numerics_csv(rows));
  } else {
    fmt::print("{}", reports::numerics_text(rows));
  }
  return ExitCode::kOk;
}

ExitCode compare(const CompareCommand& command) {
  const store::Store store =
      store::Store::open(store_path(command.db, false), store::OpenMode::kReadOnly);
  if (command.numerics) return compare_numerics(command, store);
  const store::RunRecord baseline = store.load_run(command.runs.front());
  Json::Array documents;
  for (std::size_t i = 1; i < command.runs.size(); ++i) {
    const reports::Comparison comparison =
        reports::compare_runs(store, baseline, store.load_run(command.runs[i]), command.options);
    if (command.json) {
      documents.push_back(reports::comparison_json(comparison));
    } else if (command.format == "markdown") {
      fmt::print("{}\n", escaped_lines(reports::comparison_markdown(comparison)));
    } else if (command.format == "csv") {
      const std::string csv = reports::comparison_csv(comparison);
      fmt::print("{}", i == 1 ? csv : csv.substr(csv.find('\n') + 1));
    } else {
      fmt::print("{}", escaped_lines(reports::comparison_text(comparison)));
    }
  }
  if (command.json) {
    fmt::print("{}\n",
               documents.size() == 1 ? documents[0].dump() : Json(std::move(documents)).dump());
  }
  return ExitCode::kOk;
}

}  // namespace

void add_compare(CLI::App& app, Chosen& chosen) {
  auto command = std::make_shared<CompareCommand>();
  CLI::App* sub = app.add_subcommand("compare", "Paired statistics between runs");
  sub->add_option("RUN", command->runs, "Runs or tags; the first is the baseline")
      ->required()
      ->expected(2, 100);
  sub->add_option("--db", command->db, "Result store")->envname("ASSAY_DB");
  sub->add_option("--format", command->format, "text, markdown or csv")
      ->check(CLI::IsMember({"text", "markdown", "csv"}));
  sub->add_flag("--numerics", command->numerics,
                "Divergence from the reference setting instead of task scores");
  sub->add_flag("--json", command->json, "One JSON document on stdout");
  sub->add_flag("--common-items", command->options.common_items,
                "Pair the items that both runs have, instead of refusing");
  sub->add_option("--cluster", command->cluster,
                  "What errors are clustered by: source (of an item) or group (MMLU's subjects)")
      ->check(CLI::IsMember({"source", "group"}));
  sub->add_option("--alpha", command->options.alpha, "Level of tests and intervals")
      ->check(CLI::Range(1e-6, 0.5));
  sub->add_option("--flips", command->options.max_flips, "Flips listed for each task");
  sub->callback([&chosen, command] {
    if (command->cluster == "group") command->options.cluster = reports::ClusterBy::kGroup;
    chosen.action = [command] { return compare(*command); };
  });
}

}  // namespace assay::cli
