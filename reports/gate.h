// Pass or fail for CI: rules of a policy applied to a comparison. One verdict object stands behind
// text, Markdown, JSON, JUnit XML and the exit code. The accepted policy: docs/gates.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/object_reader.h"
#include "reports/compare.h"

namespace assay::reports {

enum class GateVerdict { kPass, kImproved, kFail, kInconclusive, kIncomparable };
/// "pass", "improved", "fail", "inconclusive", "incomparable".
const char* gate_verdict_name(GateVerdict verdict);

/// In a margin rule's place for a task: the mean of the headline metrics of all tasks.
inline constexpr std::string_view kMeanTask = "mean";

struct GateRule {
  enum class Kind { kMargin, kReference, kSpeed, kMemory, kUnscored };
  Kind kind = Kind::kMargin;
  // "gsm8k", "gsm8k@assay"; kSpeed: a case; "x*": all that begin so; kMargin: also kMeanTask.
  std::string task = "*";
  std::string metric;            // "" is the headline
  double margin = 0;             // share: points / 100 or percent / 100
  double reference = 0;          // kReference
  bool higher_is_better = true;  // kSpeed
  double alpha = 0.05;
  std::int64_t max_unscored = 0;  // kUnscored
};

struct GatePolicy {
  std::vector<GateRule> rules;
  bool inconclusive_fails = false;
};

/// The "gates" of a suite or policy file: a list of rules, or {"rules", "on_inconclusive"}.
/// Throws: Error(kInput) with line and column, a suggestion for a misspelt key.
GatePolicy parse_policy(const Json& gates, const JsonSource& source);
/// No task worse by a point, nothing unscored.
GatePolicy default_policy();

struct GateResult {
  std::string name;   // "gsm8k@assay accuracy"
  std::string suite;  // task or case, for JUnit
  GateVerdict verdict = GateVerdict::kPass;
  std::string reason;  // one line with the figures
  std::optional<double> value;
  std::optional<Interval> interval;
  std::optional<double> p_adjusted;
  double margin = 0;
  std::int64_t items_needed = 0;  // that would decide; 0 unless inconclusive
};

struct GateReport {
  std::string baseline;
  std::string candidate;
  std::vector<GateResult> results;
  std::optional<Comparison> comparison;  // nothing when the runs cannot be paired
  bool inconclusive_fails = false;

  /// The worst: incomparable, fail, inconclusive, pass.
  [[nodiscard]] GateVerdict verdict() const;
  [[nodiscard]] ExitCode exit_code() const;
};

bool is_about_mean(const GateRule& rule);
/// Whether a rule for `pattern` ("gsm8k", "gsm8k@assay", "*", "throughput/*") is about this task or
/// case.
bool rule_fits(const std::string& pattern, const std::string& name);
/// One margin rule. REQUIRES: `metric` is of `task`.
GateResult judge_margin(const TaskComparison& task, const MetricComparison& metric,
                        const GateRule& rule);
/// Level of the intervals and tests of a comparison that this policy judges.
double comparison_alpha(const GatePolicy& policy);

/// Runs that cannot be paired make an incomparable result, no exception.
GateReport check_gates(const store::Store& store, const store::RunRecord& baseline,
                       const store::RunRecord& candidate, const GatePolicy& policy);

Json gate_json(const GateReport& report);
std::string gate_text(const GateReport& report);
std::string gate_markdown(const GateReport& report);
/// One test suite for each report.
std::string gate_junit(std::span<const GateReport> reports);

}  // namespace assay::reports
