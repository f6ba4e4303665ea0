// assay gate: pass or fail for CI.
#include "reports/gate.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/store_path.h"

namespace assay::cli {
namespace {

struct GateCommand {
  std::string db;
  std::string baseline;
  std::string candidate;
  std::string policy;
  std::string junit;
  std::string summary;
  bool json = false;
};

/// --policy, else the gates of the candidate's own suite, else one point on every task.
reports::GatePolicy load_policy(const GateCommand& command, const store::RunRecord& candidate) {
  if (!command.policy.empty()) {
    const JsonSource source{command.policy, read_file(command.policy, std::uint64_t{16} << 20)};
    const Json document = parse_jsonc(source.text, source.name);
    const Json* gates = document.find("gates");
    if (gates == nullptr) throw_input("{}: no \"gates\" in it; see docs/gates.md", command.policy);
    return reports::parse_policy(*gates, source);
  }
  if (const Json* gates = candidate.suite.find("gates")) {
    if (!gates->is_null()) {
      return reports::parse_policy(*gates, {"suite of " + candidate.name, candidate.suite.dump()});
    }
  }
  return reports::default_policy();
}

ExitCode gate(const GateCommand& command) {
  const store::Store store =
      store::Store::open(store_path(command.db, false), store::OpenMode::kReadOnly);
  const store::RunRecord baseline = store.load_run(command.baseline);
  const store::RunRecord candidate = store.load_run(command.candidate);
  for (const store::RunRecord* run : {&baseline, &candidate}) {
    if (run->status == store::RunStatus::kDone) continue;
    throw Error(ErrorKind::kIncomplete,
                fmt::format("run {} is {}; finish it before it is judged", run->name,
                            store::run_status_name(run->status)));
  }
  const reports::GateReport report =
      reports::check_gates(store, baseline, candidate, load_policy(command, candidate));
  if (!command.junit.empty()) write_file_atomic(command.junit, reports::gate_junit(report));
  if (!command.summary.empty()) write_file_atomic(command.summary, reports::gate_markdown(report));
  fmt::print("{}",
             command.json ? reports::gate_json(report).dump() + "\n" : reports::gate_text(report));
  return report.exit_code();
}

}  // namespace

void add_gate(CLI::App& app, Chosen& chosen) {
  auto command = std::make_shared<GateCommand>();
  CLI::App* sub = app.add_subcommand("gate", "Pass or fail for CI");
  sub->add_option("--baseline", command->baseline, "Run or tag that is the measure")->required();
  sub->add_option("--candidate", command->candidate, "Run or tag that is judged")->required();
  sub->add_option("--policy", command->policy,
                  "File with \"gates\" (default: the candidate's suite, else one point a task)");
  sub->add_option("--junit", command->junit, "Write JUnit XML");
  sub->add_option("--summary", command->summary, "Write Markdown for a step summary");
  sub->add_option("--db", command->db, "Result store")->envname("ASSAY_DB");
  sub->add_flag("--json", command->json, "One JSON document on stdout");
  sub->callback([&chosen, command] { chosen.action = [command] { return gate(*command); }; });
}

}  // namespace assay::cli
