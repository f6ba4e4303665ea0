#include "cli/run_gate.h"

#include <fmt/format.h>

#include <utility>

#include "cli/gate_policy.h"
#include "reports/baseline.h"

namespace assay::cli {

RunGate::RunGate(std::string selector, const std::string& policy_file, const suites::Suite& suite)
    : selector_(std::move(selector)),
      policy_(gate_policy(policy_file, suite.definition, suite.file.string())) {}

suites::EarlyStopping RunGate::stopping(const store::Store& store, const store::RunRecord& run,
                                        std::span<const store::RunTaskRecord> tasks) const {
  const Json* begun = run.inputs.find(store::kGateBaseline);
  const store::RunRecord baseline = begun != nullptr
                                        ? store.load_run(begun->as_string())
                                        : reports::find_baseline(store, selector_, run);
  if (baseline.status != store::RunStatus::kDone) {
    throw Error(ErrorKind::kIncomplete,
                fmt::format("baseline {} is {}; finish it before others are measured against it",
                            baseline.name, store::run_status_name(baseline.status)));
  }
  auto watch =
      std::make_shared<const reports::GateWatch>(store, baseline, run.seed, tasks, policy_);
  return {.baseline = baseline.name,
          .decided = [watch](const store::RunTaskRecord& task) { return watch->decided(task); }};
}

void RunGate::attach(const store::Store& store, suites::RunnerOptions& options) {
  options.early_stopping = [this, &store](const store::RunRecord& run,
                                          std::span<const store::RunTaskRecord> tasks) {
    return stopping(store, run, tasks);
  };
}

std::vector<reports::GateReport> RunGate::judge(const store::Store& store,
                                                std::span<const suites::RunReport> runs) const {
  std::vector<reports::GateReport> out;
  for (const suites::RunReport& report : runs) {
    const store::RunRecord run = store.load_run(report.run);
    const Json* baseline = run.inputs.find(store::kGateBaseline);
    if (run.status != store::RunStatus::kDone || baseline == nullptr) continue;
    out.push_back(reports::check_gates(store, store.load_run(baseline->as_string()), run, policy_));
  }
  return out;
}

ExitCode worst_exit_code(std::span<const reports::GateReport> reports) {
  ExitCode worst = ExitCode::kOk;
  for (const ExitCode code :
       {ExitCode::kInconclusive, ExitCode::kGateFailed, ExitCode::kIncomparable}) {
    for (const reports::GateReport& report : reports) {
      if (report.exit_code() == code) worst = code;
    }
  }
  return worst;
}

}  // namespace assay::cli
