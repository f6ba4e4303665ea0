// assay gate: pass or fail for CI.
#include "reports/gate.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/gate_files.h"
#include "cli/gate_policy.h"
#include "cli/store_path.h"
#include "cli/terminal.h"
#include "reports/baseline.h"

namespace assay::cli {
namespace {

struct GateCommand {
  std::string db;
  std::string baseline;
  std::string candidate;
  std::string policy;
  GateFiles files;
  bool json = false;
};

ExitCode gate(const GateCommand& command) {
  const store::Store store =
      store::Store::open(store_path(command.db, false), store::OpenMode::kReadOnly);
  const store::RunRecord candidate = store.load_run(command.candidate);
  const store::RunRecord baseline = reports::find_baseline(store, command.baseline, candidate);
  for (const store::RunRecord* run : {&baseline, &candidate}) {
    if (run->status == store::RunStatus::kDone) continue;
    throw Error(ErrorKind::kIncomplete,
                fmt::format("run {} is {}; finish it before it is judged", run->name,
                            store::run_status_name(run->status)));
  }
  const reports::GateReport report = reports::check_gates(
      store, baseline, candidate,
      gate_policy(command.policy, candidate.suite, "suite of " + candidate.name));
  write_gate_files({&report, 1}, command.files);
  fmt::print("{}", command.json ? reports::gate_json(report).dump() + "\n"
                                : escaped_lines(reports::gate_text(report)));
  return report.exit_code();
}

}  // namespace

void add_gate(CLI::App& app, Chosen& chosen) {
  auto command = std::make_shared<GateCommand>();
  CLI::App* sub = app.add_subcommand("gate", "Pass or fail for CI");
  sub->add_option("--baseline", command->baseline,
                  "The measure: run, tag, branch:NAME, best:NAME or revision:ID")
      ->required();
  sub->add_option("--candidate", command->candidate, "Run or tag that is judged")->required();
  sub->add_option("--policy", command->policy,
                  "File with \"gates\" (default: the candidate's suite, else one point a task)");
  add_gate_files(*sub, command->files);
  sub->add_option("--db", command->db, "Result store")->envname("ASSAY_DB");
  sub->add_flag("--json", command->json, "One JSON document on stdout");
  sub->callback([&chosen, command] { chosen.action = [command] { return gate(*command); }; });
}

}  // namespace assay::cli
