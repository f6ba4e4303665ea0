#include "reports/gate.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "reports/hypothesis.h"
#include "store/bench_values.h"

namespace assay::reports {

namespace {

constexpr double kPower = 0.8;

/// Error at items -> items at which non-inferiority at this margin would show, were nothing lost.
std::int64_t needed(const MetricComparison& metric, const TaskComparison& task,
                    const GateRule& rule) {
  return required_items(metric.standard_error, task.items, rule.margin, rule.alpha, kPower);
}

}  // namespace

bool rule_fits(const std::string& pattern, const std::string& name) {
  if (pattern.ends_with("*")) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name || name.starts_with(pattern + "@");
}

bool is_about_mean(const GateRule& rule) {
  return rule.kind == GateRule::Kind::kMargin && rule.task == kMeanTask;
}

double comparison_alpha(const GatePolicy& policy) {
  double alpha = CompareOptions{}.alpha;
  for (const GateRule& rule : policy.rules) {
    if (rule.kind == GateRule::Kind::kMargin) alpha = std::min(alpha, rule.alpha);
  }
  return alpha;
}

GateResult judge_margin(const TaskComparison& task, const MetricComparison& metric,
                        const GateRule& rule) {
  GateResult out{.name = task.task + " " + metric.metric, .suite = task.task};
  out.margin = rule.margin;
  out.value = metric.difference;
  out.interval = metric.interval;
  out.p_adjusted = metric.p_adjusted;
  std::string figures = fmt::format(
      "{:+.2f} points [{:+.2f}, {:+.2f}], {} right to wrong, {} wrong to right, {} p {:.3g}, Holm "
      "{:.3g}, margin {:.2f}",
      100 * metric.difference, 100 * metric.interval.low, 100 * metric.interval.high,
      task.right_to_wrong, task.wrong_to_right, metric.method, metric.p, metric.p_adjusted,
      100 * rule.margin);
  if (task.stopped_early) {
    figures += fmt::format("; {} of {} responses asked, {:.0f} % saved", task.responses,
                           task.planned, 100 * saved_share(task));
  }
  if (task.identical == task.responses && !task.stopped_early) {
    out.reason = fmt::format("all {} responses identical: no change", task.responses);
  } else if (metric.interval.high < 0 && metric.difference <= -rule.margin &&
             metric.p_adjusted <= rule.alpha) {
    out.verdict = GateVerdict::kFail;
    out.reason = figures;
  } else if (metric.interval.low > 0) {
    out.verdict = GateVerdict::kImproved;
    out.reason = figures;
  } else if (metric.interval.low > -rule.margin) {
    out.reason = figures;
  } else {
    out.verdict = GateVerdict::kInconclusive;
    out.items_needed = needed(metric, task, rule);
    out.reason =
        fmt::format("{}; {} items, about {} would decide", figures, task.items, out.items_needed);
  }
  return out;
}

namespace {

/// A reference value has no error of its own: the interval is the candidate's.
GateResult judge_reference(const TaskComparison& task, const MetricComparison& metric,
                           const GateRule& rule) {
  GateResult out{.name = task.task + " " + metric.metric + " against reference",
                 .suite = task.task};
  out.margin = rule.margin;
  out.value = metric.candidate;
  const bool pass = std::abs(metric.candidate - rule.reference) <= rule.margin;
  out.verdict = pass ? GateVerdict::kPass : GateVerdict::kFail;
  out.reason = fmt::format("{:.2f} %, reference {:.2f} %, tolerance {:.2f} points",
                           100 * metric.candidate, 100 * rule.reference, 100 * rule.margin);
  return out;
}

GateResult judge_speed(const std::string& name, const std::vector<double>& before,
                       const std::vector<double>& after, const GateRule& rule) {
  GateResult out{.name = name + " " + rule.metric, .suite = name};
  out.margin = rule.margin;
  if (before.empty() || after.empty() || median_of(before) <= 0) {
    out.verdict = GateVerdict::kIncomparable;
    out.reason = fmt::format("{} and {} valid measurements", before.size(), after.size());
    return out;
  }
  const double change = median_of(after) / median_of(before) - 1;
  const double gain = rule.higher_is_better ? change : -change;
  const double p = mann_whitney_p(before, after);
  out.value = change;
  out.p_adjusted = p;
  out.reason = fmt::format(
      "medians {:.4g} and {:.4g}, {:+.2f} %, rank test p {:.3g}, {}+{} "
      "measurements, margin {:.2f} %",
      median_of(before), median_of(after), 100 * change, p, before.size(), after.size(),
      100 * rule.margin);
  if (p <= rule.alpha && gain < -rule.margin) {
    out.verdict = GateVerdict::kFail;
  } else if (p <= rule.alpha && gain > rule.margin) {
    out.verdict = GateVerdict::kImproved;
  } else if (gain < -rule.margin) {
    out.verdict = GateVerdict::kInconclusive;
  }
  return out;
}

void check_speed(const store::Store& store, const store::RunRecord& baseline,
                 const store::RunRecord& candidate, const GateRule& rule, GateReport& report) {
  const std::vector<store::BenchCaseRecord> before = store.load_bench(baseline.row);
  const std::vector<store::BenchCaseRecord> after = store.load_bench(candidate.row);
  std::size_t found = 0;
  for (const store::BenchCaseRecord& bench : before) {
    if (!rule_fits(rule.task, bench.name)) continue;
    // A rule for many cases is about those that have the metric.
    if (rule.task.ends_with("*") && store::bench_values(bench, rule.metric).values.empty())
      continue;
    ++found;
    const auto other = std::find_if(after.begin(), after.end(), [&](const auto& entry) {
      return entry.name == bench.name && entry.params == bench.params;
    });
    GateResult result =
        judge_speed(bench.name, store::bench_values(bench, rule.metric).values,
                    other == after.end() ? std::vector<double>{}
                                         : store::bench_values(*other, rule.metric).values,
                    rule);
    // A change of the machine's own speed is no change of the engine's, and may hide one.
    const std::string remark = other == after.end() ? "" : machine_difference(bench, *other);
    if (!remark.empty() && result.verdict != GateVerdict::kIncomparable) {
      result.verdict = GateVerdict::kInconclusive;
      result.reason += "; " + remark;
    }
    if (baseline.machine.machine_class != candidate.machine.machine_class) {
      result.verdict = GateVerdict::kIncomparable;
      result.reason =
          "machines " + baseline.machine.machine_class + " and " + candidate.machine.machine_class;
    }
    report.results.push_back(std::move(result));
  }
  if (found == 0) {
    report.results.push_back({.name = "speed " + rule.task + " " + rule.metric,
                              .suite = "speed",
                              .verdict = GateVerdict::kIncomparable,
                              .reason = "the baseline has no such measurement"});
  }
}

GateResult judge_memory(const store::RunRecord& baseline, const store::RunRecord& candidate,
                        const GateRule& rule) {
  GateResult out{.name = "peak memory", .suite = "memory"};
  out.margin = rule.margin;
  const auto before = static_cast<double>(baseline.peak_memory_bytes.value_or(0));
  const auto after = static_cast<double>(candidate.peak_memory_bytes.value_or(0));
  if (before <= 0 || after <= 0) {
    out.verdict = GateVerdict::kIncomparable;
    out.reason = "not measured in both runs";
    return out;
  }
  out.value = after / before - 1;
  out.verdict = *out.value > rule.margin ? GateVerdict::kFail : GateVerdict::kPass;
  out.reason = fmt::format("{:.0f} and {:.0f} bytes, {:+.2f} %, margin {:.2f} %", before, after,
                           100 * *out.value, 100 * rule.margin);
  return out;
}

/// A rule on the mean of all tasks, which the comparison has for two or more.
GateResult judge_mean(const GateRule& rule, const Comparison& comparison) {
  if (!comparison.mean || !rule.metric.empty()) {
    return {.name = std::string(kMeanTask),
            .suite = std::string(kMeanTask),
            .verdict = GateVerdict::kIncomparable,
            .reason = rule.metric.empty() ? "fewer than two tasks in common"
                                          : "the mean is of headline metrics, and has no other"};
  }
  TaskComparison all{.task = std::string(kMeanTask)};
  for (const TaskComparison& task : comparison.tasks) {
    if (task.stopped_early) continue;
    all.items += task.items;
    all.responses += task.responses;
    all.identical += task.identical;
    all.right_to_wrong += task.right_to_wrong;
    all.wrong_to_right += task.wrong_to_right;
  }
  GateResult out = judge_margin(all, *comparison.mean, rule);
  out.name = comparison.mean->metric;
  return out;
}

/// Family-wise over the margin rules: the level is spent once, not once a task.
void check_tasks(const GateRule& rule, const Comparison& comparison, GateReport& report) {
  if (is_about_mean(rule)) {
    report.results.push_back(judge_mean(rule, comparison));
    return;
  }
  std::size_t found = 0;
  for (const TaskComparison& task : comparison.tasks) {
    if (!rule_fits(rule.task, task.task)) continue;
    if (rule.kind == GateRule::Kind::kUnscored) {
      ++found;
      GateResult result{.name = task.task + " unscored", .suite = task.task};
      result.verdict = task.unscored > rule.max_unscored ? GateVerdict::kFail : GateVerdict::kPass;
      result.reason =
          fmt::format("{} unscored responses, {} allowed", task.unscored, rule.max_unscored);
      report.results.push_back(std::move(result));
      continue;
    }
    for (const MetricComparison& metric : task.metrics) {
      const bool headline = &metric == &task.metrics.front();
      if (rule.metric.empty() ? !headline : rule.metric != metric.metric) continue;
      ++found;
      report.results.push_back(rule.kind == GateRule::Kind::kReference
                                   ? judge_reference(task, metric, rule)
                                   : judge_margin(task, metric, rule));
    }
  }
  if (found > 0) return;
  report.results.push_back({.name = rule.task + " " + rule.metric,
                            .suite = rule.task,
                            .verdict = GateVerdict::kIncomparable,
                            .reason = "the runs have no such task or metric in common"});
}

void add_missing_tasks(const Comparison& comparison, GateReport& report) {
  for (const std::string& task : comparison.only_baseline) {
    report.results.push_back({.name = task,
                              .suite = task,
                              .verdict = GateVerdict::kIncomparable,
                              .reason = "the candidate has not run this task of the baseline"});
  }
}

}  // namespace

const char* gate_verdict_name(GateVerdict verdict) {
  constexpr const char* kNames[] = {"pass", "improved", "fail", "inconclusive", "incomparable"};
  return kNames[static_cast<int>(verdict)];
}

GateVerdict GateReport::verdict() const {
  const auto any = [&](GateVerdict wanted) {
    return std::any_of(results.begin(), results.end(),
                       [&](const GateResult& result) { return result.verdict == wanted; });
  };
  for (const GateVerdict verdict :
       {GateVerdict::kIncomparable, GateVerdict::kFail, GateVerdict::kInconclusive}) {
    if (any(verdict)) return verdict;
  }
  return GateVerdict::kPass;
}

ExitCode GateReport::exit_code() const {
  switch (verdict()) {
    case GateVerdict::kIncomparable:
      return ExitCode::kIncomparable;
    case GateVerdict::kFail:
      return ExitCode::kGateFailed;
    case GateVerdict::kInconclusive:
      return inconclusive_fails ? ExitCode::kInconclusive : ExitCode::kOk;
    default:
      return ExitCode::kOk;
  }
}

GateReport check_gates(const store::Store& store, const store::RunRecord& baseline,
                       const store::RunRecord& candidate, const GatePolicy& policy) {
  GateReport report{.baseline = baseline.name, .candidate = candidate.name};
  report.inconclusive_fails = policy.inconclusive_fails;
  CompareOptions options;
  options.alpha = comparison_alpha(policy);
  const bool about_tasks = std::any_of(policy.rules.begin(), policy.rules.end(), [](auto& rule) {
    return rule.kind != GateRule::Kind::kSpeed && rule.kind != GateRule::Kind::kMemory;
  });
  if (about_tasks) {
    try {
      report.comparison = compare_runs(store, baseline, candidate, options);
      add_missing_tasks(*report.comparison, report);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kIncomparable) throw;
      report.results.push_back({.name = "comparison",
                                .suite = "comparison",
                                .verdict = GateVerdict::kIncomparable,
                                .reason = error.what()});
    }
  }
  for (const GateRule& rule : policy.rules) {
    if (rule.kind == GateRule::Kind::kSpeed) {
      check_speed(store, baseline, candidate, rule, report);
    } else if (rule.kind == GateRule::Kind::kMemory) {
      report.results.push_back(judge_memory(baseline, candidate, rule));
    } else if (report.comparison) {
      check_tasks(rule, *report.comparison, report);
    }
  }
  return report;
}

}  // namespace assay::reports
