#include "reports/page_pairs.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "reports/compare.h"
#include "reports/hypothesis.h"

namespace assay::reports {
namespace {

const CompareOptions kOptions{.alpha = 0.05, .power = 0.8};

/// "" when the two can be paired.
std::string why_incomparable(const LoadedTask& a, const LoadedTask& b) {
  // How much there is of a task that a gate stopped depends on its answers; the plain difference
  // over what was asked would be biased, and `assay compare` has the corrected one.
  if (a.stopped_early) return "the reference was stopped early (assay run --gate)";
  if (b.stopped_early) return "stopped early (assay run --gate); see assay compare";
  try {
    check_same_task(a.data.task, b.data.task);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kIncomparable) throw;
    const std::string message = error.what();
    constexpr std::string_view kStart = "cannot be paired: ";
    const std::size_t at = message.find(kStart);
    return at == std::string::npos ? message : message.substr(at + kStart.size());
  }
  return "";
}

using RowKey = std::pair<std::int64_t, std::int64_t>;  // item, repeat

std::vector<RowKey> row_keys(const LoadedTask& task) {
  std::vector<RowKey> keys;
  for (const store::ScoreRow& row : task.data.scores.rows) keys.emplace_back(row.item, row.repeat);
  return keys;
}

/// Items without the same scored responses in both; ascending.
std::vector<std::int64_t> unshared_items(const LoadedTask& a, const LoadedTask& b) {
  const std::vector<RowKey> keys_a = row_keys(a);
  const std::vector<RowKey> keys_b = row_keys(b);
  std::vector<RowKey> different;
  std::set_symmetric_difference(keys_a.begin(), keys_a.end(), keys_b.begin(), keys_b.end(),
                                std::back_inserter(different));
  std::vector<std::int64_t> out;
  for (const RowKey& key : different) out.push_back(key.first);
  for (const LoadedTask* task : {&a, &b}) {
    for (const store::ScoreRow& row : task->data.scores.rows) {
      if (!row.scored) out.push_back(row.item);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

LoadedTask without(const LoadedTask& task, const std::vector<std::int64_t>& gone) {
  LoadedTask out = task;
  if (task.leader != nullptr) out.data.items = task.leader->data.items;
  std::erase_if(out.data.scores.rows, [&](const store::ScoreRow& row) {
    return std::binary_search(gone.begin(), gone.end(), row.item);
  });
  compute_results(out);
  return out;
}

/// Equal keys are equal prompts; different ones may still be the same text under other ids.
std::string prompt_difference(const store::Store& store, const LoadedTask& a, const LoadedTask& b) {
  for (std::size_t i = 0; i < a.data.scores.rows.size(); ++i) {
    const std::int64_t first = a.data.scores.rows[i].prompt;
    const std::int64_t second = b.data.scores.rows[i].prompt;
    if (first == second) continue;
    const std::string text = store.load_prompt_text(first);
    if (text.empty() || text != store.load_prompt_text(second)) {
      return "prompts differ, first for " +
             escaped(store.load_item(a.data.scores.rows[i].item).key);
    }
  }
  return "";
}

void count_changes(const LoadedTask& a, const LoadedTask& b, PageDifference& out) {
  out.items = std::ssize(a.frame.items);
  out.responses = std::ssize(a.data.scores.rows);
  for (std::size_t i = 0; i < a.data.scores.rows.size(); ++i) {
    const store::ScoreRow& before = a.data.scores.rows[i];
    const store::ScoreRow& after = b.data.scores.rows[i];
    out.identical += before.output_hash == after.output_hash ? 1 : 0;
    out.right_to_wrong += before.correct && !after.correct ? 1 : 0;
    out.wrong_to_right += !before.correct && after.correct ? 1 : 0;
  }
}

void take_test(const MetricComparison& test, PageDifference& out) {
  out.value = test.difference;
  out.low = test.interval.low;
  out.high = test.interval.high;
  out.standard_error = test.standard_error;
  out.detectable = test.detectable;
  out.p = test.p;
  out.method = test.method;
  out.p_adjusted = test.p_adjusted;
}

/// Items of one group and their clusters, numbered anew from 0.
struct GroupPart {
  std::vector<ItemValue> values;
  std::vector<std::uint32_t> clusters;
};

GroupPart group_part(const LoadedTask& task, std::size_t metric, std::uint32_t group) {
  GroupPart out;
  std::map<std::uint32_t, std::uint32_t> numbers;
  for (std::size_t i = 0; i < task.frame.items.size(); ++i) {
    if (task.frame.items[i].group != group) continue;
    out.values.push_back(task.results[metric].values[i]);
    auto number = static_cast<std::uint32_t>(out.clusters.size());
    if (task.frame.clustered) {
      const auto next = static_cast<std::uint32_t>(numbers.size());
      number = numbers.emplace(task.frame.items[i].cluster, next).first->second;
    }
    out.clusters.push_back(number);
  }
  return out;
}

PageValue group_difference(const LoadedTask& a, const LoadedTask& b, std::size_t metric,
                           std::uint32_t group) {
  const GroupPart before = group_part(a, metric, group);
  const GroupPart after = group_part(b, metric, group);
  const Estimate change = difference(mean_estimate(after.values), mean_estimate(before.values));
  const Interval interval =
      t_interval(change.value, standard_error(change, before.clusters), 1 - kOptions.alpha);
  return {.value = change.value,
          .low = interval.low,
          .high = interval.high,
          .items = std::ssize(before.values)};
}

PagePair compare_same(const store::Store& store, const LoadedTask& a, const LoadedTask& b) {
  PagePair out;
  if (a.results.empty() || b.results.empty()) {
    out.incomparable = "no item has a verdict in both";
    return out;
  }
  out.incomparable = prompt_difference(store, a, b);
  if (!out.incomparable.empty()) return out;
  PageDifference counts;
  count_changes(a, b, counts);
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    out.metrics.push_back(counts);
    take_test(compare_results(a.results[i], b.results[i], a.frame, "", kOptions),
              out.metrics.back());
  }
  out.change = task_change(a.results[0], b.results[0], a.frame, a.data.task.dataset_digest);
  if (const auto plain = plain_metric(a.data.task)) {
    for (std::size_t group = 0; group < a.groups.size(); ++group) {
      out.groups.emplace_back(group_difference(a, b, *plain, static_cast<std::uint32_t>(group)));
    }
  }
  return out;
}

}  // namespace

std::optional<PageDifference> mean_difference(std::span<const TaskChange> tasks) {
  const auto test = mean_change(tasks, kOptions);
  if (!test) return std::nullopt;
  PageDifference out;
  take_test(*test, out);
  return out;
}

std::optional<std::size_t> plain_metric(const store::RunTaskRecord& task) {
  for (std::size_t i = 0; i < task.metrics.size(); ++i) {
    if (task.metrics[i].kind == "mean") return i;
  }
  return std::nullopt;
}

PageValue group_value(const LoadedTask& task, std::size_t metric, std::uint32_t group) {
  GroupPart part = group_part(task, metric, group);
  MetricFrame frame{.clustered = task.frame.clustered};
  for (const std::uint32_t cluster : part.clusters) {
    frame.items.push_back({0, group, cluster});
  }
  const MetricResult result{.estimate = mean_estimate(part.values),
                            .values = std::move(part.values),
                            .binary = task.results[metric].binary};
  const Interval interval = metric_interval(result, frame);
  return {.value = result.estimate.value,
          .low = std::max(0.0, interval.low),
          .high = std::min(1.0, interval.high),
          .items = result.estimate.items};
}

PagePair pair_tasks(const store::Store& store, const LoadedTask& reference,
                    const LoadedTask& other) {
  PagePair out;
  out.incomparable = why_incomparable(reference, other);
  if (!out.incomparable.empty()) return out;
  if (same_items(reference, other)) return compare_same(store, reference, other);
  const std::vector<std::int64_t> gone = unshared_items(reference, other);
  const LoadedTask a = without(reference, gone);
  const LoadedTask b = without(other, gone);
  out = compare_same(store, a, b);
  // The groups of what is left, under the numbers of the reference.
  std::vector<std::optional<PageValue>> groups(reference.groups.size());
  for (std::size_t i = 0; i < out.groups.size(); ++i) {
    const auto place = std::find(reference.groups.begin(), reference.groups.end(), a.groups[i]);
    if (place != reference.groups.end()) {
      groups[static_cast<std::size_t>(place - reference.groups.begin())] = out.groups[i];
    }
  }
  out.groups = std::move(groups);
  return out;
}

}  // namespace assay::reports
