#include "reports/compare.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "reports/early_stop.h"
#include "reports/mean_change.h"
#include "reports/metrics.h"

namespace assay::reports {

namespace {

using RowKey = std::pair<std::int64_t, std::int64_t>;  // item, repeat

std::string task_name(const store::RunTaskRecord& task) { return task.name + "@" + task.protocol; }

[[noreturn]] void refuse(const std::string& task, const std::string& reason) {
  throw Error(ErrorKind::kIncomparable,
              fmt::format("task {}: the runs cannot be paired: {}", escaped(task), reason));
}

}  // namespace

MetricComparison compare_results(const MetricResult& before, const MetricResult& after,
                                 const MetricFrame& frame, const std::string& name,
                                 const CompareOptions& options) {
  const Estimate change = difference(after.estimate, before.estimate);
  std::vector<std::uint32_t> clusters;
  for (const MetricItem& item : frame.items) clusters.push_back(item.cluster);
  const StandardError error = standard_error(change, clusters);
  MetricComparison out;
  out.metric = name;
  out.baseline = before.estimate.value;
  out.candidate = after.estimate.value;
  out.difference = change.value;
  out.standard_error = error.value;
  out.interval = t_interval(change.value, error, 1 - options.alpha);
  out.detectable = minimum_detectable(error.value, options.alpha, options.power);
  if (before.binary && after.binary && !frame.clustered) {
    std::int64_t up = 0;
    std::int64_t down = 0;
    for (std::size_t i = 0; i < before.values.size(); ++i) {
      up += after.values[i].value > before.values[i].value ? 1 : 0;
      down += after.values[i].value < before.values[i].value ? 1 : 0;
    }
    out.p = mcnemar(up, down).exact_p;
    out.method = "exact McNemar";
  } else {
    out.p = t_test_p(change.value, error);
    out.method = "clustered t";
  }
  out.p_adjusted = out.p;
  return out;
}

void check_same_task(const store::RunTaskRecord& a, const store::RunTaskRecord& b) {
  const std::string name = task_name(a);
  if (a.protocol_version != b.protocol_version) {
    refuse(name, fmt::format("protocol version {} and {}", a.protocol_version, b.protocol_version));
  }
  if (a.split != b.split) refuse(name, "split " + escaped(a.split) + " and " + escaped(b.split));
  if (a.dataset_digest != b.dataset_digest) {
    refuse(name, fmt::format("data set {:.12} and {:.12}", a.dataset_digest, b.dataset_digest));
  }
  if (a.prompts_digest != b.prompts_digest) refuse(name, "files of prompts differ");
  if (a.definition.dump_canonical() != b.definition.dump_canonical()) {
    refuse(name, "protocol settings differ (" +
                     escaped(store::changed_inputs(a.definition, b.definition)) + ")");
  }
  if (a.metrics != b.metrics) refuse(name, "metrics differ");
  if (a.scorer != b.scorer || a.scorer_version != b.scorer_version) {
    refuse(name, "scored by " + escaped(a.scorer + " " + a.scorer_version) + " and " +
                     escaped(b.scorer + " " + b.scorer_version) + "; score again first");
  }
}

namespace {

std::vector<RowKey> scored_keys(const TaskData& data) {
  std::vector<RowKey> keys;
  for (const store::ScoreRow& row : data.scores.rows) keys.emplace_back(row.item, row.repeat);
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// Leaves in both what both have; an item with an unscored response in either goes whole.
void keep_common(TaskData& a, TaskData& b, TaskComparison& out, const CompareOptions& options) {
  const std::vector<RowKey> keys_a = scored_keys(a);
  const std::vector<RowKey> keys_b = scored_keys(b);
  std::vector<RowKey> different;
  std::set_symmetric_difference(keys_a.begin(), keys_a.end(), keys_b.begin(), keys_b.end(),
                                std::back_inserter(different));
  if (out.stopped_early) {
    // The rest of the baseline's items was not asked; all that was asked must be there.
    std::erase_if(different, [&](const RowKey& key) {
      return !std::binary_search(keys_b.begin(), keys_b.end(), key);
    });
    std::erase_if(a.scores.rows, [&](const store::ScoreRow& row) {
      return !std::binary_search(keys_b.begin(), keys_b.end(), RowKey(row.item, row.repeat));
    });
  }
  if (!different.empty() && !options.common_items) {
    refuse(out.task, fmt::format("{} responses to items that only one run has; "
                                 "--common-items pairs the rest",
                                 different.size()));
  }
  std::vector<std::int64_t> gone;
  for (const RowKey& key : different) gone.push_back(key.first);
  out.unpaired = std::ssize(different);
  for (const TaskData* data : {&a, &b}) {
    for (const store::ScoreRow& row : data->scores.rows) {
      if (row.scored) continue;
      gone.push_back(row.item);
      ++out.unscored;
    }
  }
  std::sort(gone.begin(), gone.end());
  for (TaskData* data : {&a, &b}) {
    std::erase_if(data->scores.rows, [&](const store::ScoreRow& row) {
      return std::binary_search(gone.begin(), gone.end(), row.item);
    });
    std::sort(data->scores.rows.begin(), data->scores.rows.end(),
              [](const store::ScoreRow& x, const store::ScoreRow& y) {
                return std::pair(x.item, x.repeat) < std::pair(y.item, y.repeat);
              });
  }
  if (a.scores.rows.empty()) refuse(out.task, "no item has a verdict in both");
}

/// Equal keys are equal prompts; different ones may still be the same text under other ids.
void check_prompts(const store::Store& store, const TaskData& a, const TaskData& b,
                   const std::string& task) {
  for (std::size_t i = 0; i < a.scores.rows.size(); ++i) {
    const std::int64_t first = a.scores.rows[i].prompt;
    const std::int64_t second = b.scores.rows[i].prompt;
    if (first == second) continue;
    const std::string text = store.load_prompt_text(first);
    if (text.empty() || text != store.load_prompt_text(second)) {
      refuse(task,
             "prompts differ, first for " + escaped(store.load_item(a.scores.rows[i].item).key));
    }
  }
}

store::SampleRecord load_sample(const store::Store& store, std::int64_t task_row,
                                const store::ScoreRow& row) {
  store::SampleRecord out;
  store.for_each_sample(task_row, {.first_position = row.position, .row = row.generation},
                        [&](const store::SampleRecord& sample) {
                          out = sample;
                          return false;
                        });
  return out;
}

void list_flips(const store::Store& store, const TaskData& a, const TaskData& b,
                TaskComparison& out, std::size_t limit) {
  for (const bool to_wrong : {true, false}) {
    for (std::size_t i = 0; i < a.scores.rows.size() && out.flips.size() < limit; ++i) {
      const store::ScoreRow& before = a.scores.rows[i];
      const store::ScoreRow& after = b.scores.rows[i];
      if (before.correct != to_wrong || after.correct == to_wrong) continue;
      const store::SampleRecord first = load_sample(store, a.task.row, before);
      const store::SampleRecord second = load_sample(store, b.task.row, after);
      out.flips.push_back({first.item.key, before.repeat, to_wrong, first.item.target,
                           first.score ? first.score->answer : "",
                           second.score ? second.score->answer : "", first.generation.text,
                           second.generation.text});
    }
  }
}

void count_changes(const TaskData& a, const TaskData& b, TaskComparison& out) {
  out.responses = std::ssize(a.scores.rows);
  for (std::size_t i = 0; i < a.scores.rows.size(); ++i) {
    const store::ScoreRow& before = a.scores.rows[i];
    const store::ScoreRow& after = b.scores.rows[i];
    out.identical += before.output_hash == after.output_hash ? 1 : 0;
    out.right_to_wrong += before.correct && !after.correct ? 1 : 0;
    out.wrong_to_right += !before.correct && after.correct ? 1 : 0;
  }
}

/// Fills `metrics`; returns how the headline metric changed.
TaskChange compare_metrics(const TaskData& a, const TaskData& b, const MetricFrame& frame,
                           const CompareOptions& options, TaskComparison& out) {
  TaskChange headline;
  for (const store::MetricRecord& metric : a.task.metrics) {
    const MetricResult before = compute_metric(a, frame, metric.name);
    const MetricResult after = compute_metric(b, frame, metric.name);
    if (out.metrics.empty()) headline = task_change(before, after, frame, a.task.dataset_digest);
    out.metrics.push_back(compare_results(before, after, frame, metric.name, options));
  }
  return headline;
}

/// Part of the task was left out by early stopping.
bool was_stopped(const store::RunRecord& run, const TaskData& data) {
  return run.inputs.find(store::kGateBaseline) != nullptr &&
         std::ssize(data.scores.rows) < data.task.items * data.task.repeats;
}

TaskComparison compare_task(const store::Store& store, const store::RunTaskRecord& first,
                            const store::RunTaskRecord& second, const Comparison& runs,
                            const CompareOptions& options, std::vector<TaskChange>& changes) {
  check_same_task(first, second);
  TaskComparison out;
  out.task = task_name(first);
  out.planned = second.items * second.repeats;
  TaskData a = load_task_data(store, first);
  TaskData b{second, store.load_scores(second.row), {}};  // its items are those of `a`
  if (a.scores.damaged + b.scores.damaged > 0) {
    throw_input("{}: {} damaged scores of task {}; see assay runs verify", store.path().string(),
                a.scores.damaged + b.scores.damaged, out.task);
  }
  out.stopped_early = was_stopped(runs.candidate, b);
  if (was_stopped(runs.baseline, a)) {
    refuse(out.task,
           "the baseline was stopped early (assay run --gate): how much of it there is "
           "depends on its answers");
  }
  std::vector<MetricComparison> stopped;
  if (out.stopped_early) {
    const PrefixComparison prefix(store, first, runs.candidate.seed);
    for (const store::MetricRecord& metric : first.metrics) {
      stopped.push_back(prefix.compare(b, metric.name, options));
    }
  }
  keep_common(a, b, out, options);
  check_prompts(store, a, b, out.task);
  count_changes(a, b, out);
  const MetricFrame frame = make_frame(a, options.cluster);
  out.items = std::ssize(frame.items);
  for (const MetricItem& item : frame.items) {
    out.clusters = std::max<std::int64_t>(out.clusters, item.cluster + 1);
  }
  out.metrics = std::move(stopped);
  if (!out.stopped_early) changes.push_back(compare_metrics(a, b, frame, options, out));
  list_flips(store, a, b, out, options.max_flips);
  return out;
}

void adjust(Comparison& comparison) {
  std::vector<double> p;
  for (const TaskComparison& task : comparison.tasks) {
    if (!task.metrics.empty()) p.push_back(task.metrics.front().p);
  }
  if (comparison.mean) p.push_back(comparison.mean->p);
  const std::vector<double> adjusted = holm(p);
  std::size_t next = 0;
  for (TaskComparison& task : comparison.tasks) {
    if (!task.metrics.empty()) task.metrics.front().p_adjusted = adjusted[next++];
  }
  if (comparison.mean) comparison.mean->p_adjusted = adjusted[next];
  for (const double value : adjusted) comparison.overall_p = std::min(comparison.overall_p, value);
}

}  // namespace

double saved_share(const TaskComparison& task) {
  if (!task.stopped_early || task.planned == 0) return 0;
  return 1 - static_cast<double>(task.responses) / static_cast<double>(task.planned);
}

Comparison compare_runs(const store::Store& store, const store::RunRecord& baseline,
                        const store::RunRecord& candidate, const CompareOptions& options) {
  Comparison out;
  out.baseline = baseline;
  out.candidate = candidate;
  out.alpha = options.alpha;
  std::map<std::string, store::RunTaskRecord> others;
  std::vector<TaskChange> changes;
  for (store::RunTaskRecord& task : store.load_tasks(candidate.row)) {
    others[task_name(task)] = std::move(task);
  }
  for (const store::RunTaskRecord& task : store.load_tasks(baseline.row)) {
    const auto other = others.find(task_name(task));
    if (other == others.end()) {
      out.only_baseline.push_back(task_name(task));
      continue;
    }
    out.tasks.push_back(compare_task(store, task, other->second, out, options, changes));
    others.erase(other);
  }
  for (const auto& entry : others) out.only_candidate.push_back(entry.first);
  out.speeds = compare_speeds(store, baseline, candidate);
  if (out.tasks.empty() && out.speeds.empty()) {
    throw Error(ErrorKind::kIncomparable,
                fmt::format("runs {} and {} have no task with the same protocol in common",
                            baseline.name, candidate.name));
  }
  out.mean = mean_change(changes, options);
  adjust(out);
  return out;
}

}  // namespace assay::reports
