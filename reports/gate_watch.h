// Says while a run goes on whether a task needs no more samples: every margin rule on it is
// decided, pass or fail, by what is stored.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "reports/early_stop.h"
#include "reports/gate.h"

namespace assay::reports {

/// A decision is that of `check_gates` on the run as it stands: same figures, and a correction for
/// the number of tasks that is at least Holm's. A task with a rule against a reference value, or
/// with none about its margin, is never decided: all of it is asked.
/// An unchanged candidate fails a rule, early or at its end, with probability at most alpha, and so
/// does a candidate that is worse by the margin pass it: each way of ending spends half of alpha.
/// REQUIRES: `store` outlives it. Used by one thread, which has the store.
class GateWatch {
 public:
  /// `tasks` are those of the candidate that is about to run with this seed.
  /// Throws: Error(kIncomparable) when a task that both have cannot be paired, or when the baseline
  /// has only part of it.
  GateWatch(const store::Store& store, const store::RunRecord& baseline, std::uint64_t seed,
            std::span<const store::RunTaskRecord> tasks, const GatePolicy& policy);

  /// REQUIRES: `task` is stored, with all that was asked scored.
  [[nodiscard]] bool decided(const store::RunTaskRecord& task) const;

 private:
  const store::Store& store_;
  GatePolicy policy_;
  std::map<std::string, PrefixComparison> tasks_;  // by "gsm8k@assay"
};

}  // namespace assay::reports
