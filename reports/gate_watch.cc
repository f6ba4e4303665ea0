#include "reports/gate_watch.h"

#include <algorithm>

namespace assay::reports {

namespace {

std::string task_name(const store::RunTaskRecord& task) { return task.name + "@" + task.protocol; }

}  // namespace

GateWatch::GateWatch(const store::Store& store, const store::RunRecord& baseline,
                     std::uint64_t seed, std::span<const store::RunTaskRecord> tasks,
                     const GatePolicy& policy)
    : store_(store), policy_(policy) {
  for (const store::RunTaskRecord& before : store.load_tasks(baseline.row)) {
    for (const store::RunTaskRecord& task : tasks) {
      if (task_name(task) != task_name(before)) continue;
      check_same_task(before, task);
      tasks_.emplace(task_name(task), PrefixComparison(store, before, seed));
    }
  }
}

bool GateWatch::decided(const store::RunTaskRecord& task) const {
  const auto found = tasks_.find(task_name(task));
  if (found == tasks_.end()) return false;
  const TaskData data = load_task_data(store_, task);
  TaskComparison so_far{.task = found->first, .stopped_early = true};
  CompareOptions options;
  options.alpha = comparison_alpha(policy_);
  // A mean over parts that end where their answers led would be none of the tasks.
  if (std::any_of(policy_.rules.begin(), policy_.rules.end(), is_about_mean)) return false;
  bool any = false;
  for (const GateRule& rule : policy_.rules) {
    const bool about_task =
        rule.kind == GateRule::Kind::kMargin || rule.kind == GateRule::Kind::kReference;
    if (!about_task || !rule_fits(rule.task, found->first)) continue;
    if (rule.kind == GateRule::Kind::kReference) return false;
    const std::string& headline = task.metrics.front().name;
    const std::string& name = rule.metric.empty() ? headline : rule.metric;
    if (std::none_of(task.metrics.begin(), task.metrics.end(),
                     [&](const auto& metric) { return metric.name == name; })) {
      continue;
    }
    any = true;
    MetricComparison metric = found->second.compare(data, name, options);
    // Bonferroni's correction is never less than Holm's, whatever the other tasks and the mean of
    // all turn out to be.
    if (name == headline) {
      const std::size_t tests = tasks_.size() > 1 ? tasks_.size() + 1 : 1;
      metric.p_adjusted = std::min(1.0, metric.p * static_cast<double>(tests));
    }
    if (judge_margin(so_far, metric, rule).verdict == GateVerdict::kInconclusive) return false;
  }
  return any;
}

}  // namespace assay::reports
