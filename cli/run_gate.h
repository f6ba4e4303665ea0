// `assay run --gate`: early stopping against a baseline, and the verdict at the end.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "reports/gate.h"
#include "reports/gate_watch.h"
#include "suites/runner.h"
#include "suites/suite.h"

namespace assay::cli {

class RunGate {
 public:
  /// `selector` as for `assay gate --baseline`. Throws: Error(kInput) for a policy that is wrong.
  RunGate(std::string selector, const std::string& policy_file, const suites::Suite& suite);

  /// Has `options` stop tasks of runs in `store` early. REQUIRES: outlives the runs.
  void attach(const store::Store& store, suites::RunnerOptions& options);

  /// One report a run, in their order; incomplete runs are left out.
  [[nodiscard]] std::vector<reports::GateReport> judge(
      const store::Store& store, std::span<const suites::RunReport> runs) const;

 private:
  suites::EarlyStopping stopping(const store::Store& store, const store::RunRecord& run,
                                 std::span<const store::RunTaskRecord> tasks) const;
  std::string selector_;
  reports::GatePolicy policy_;
};

/// The gravest of the exit codes of several gates.
ExitCode worst_exit_code(std::span<const reports::GateReport> reports);

}  // namespace assay::cli
