#include "reports/metrics.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/error.h"

namespace assay::reports {

TaskData load_task_data(const store::Store& store, const store::RunTaskRecord& task) {
  return {task, store.load_scores(task.row), store.load_items(task.row)};
}

MetricFrame make_frame(const TaskData& data, ClusterBy by) {
  std::vector<std::int64_t> scored;
  MetricFrame frame;
  for (const store::ScoreRow& row : data.scores.rows) {
    if (row.scored) {
      scored.push_back(row.item);
    } else {
      ++frame.unscored;
    }
  }
  std::sort(scored.begin(), scored.end());
  std::unordered_map<std::string, std::uint32_t> groups;
  std::unordered_map<std::string, std::uint32_t> clusters;
  clusters.reserve(data.items.size());
  for (const auto& [row, item] : data.items) {
    if (!std::binary_search(scored.begin(), scored.end(), row)) continue;
    const auto group = groups.emplace(item.group, static_cast<std::uint32_t>(groups.size())).first;
    const bool whole = by == ClusterBy::kGroup && !item.group.empty();
    const std::string& source = whole ? item.group : item.cluster;
    const auto cluster =
        clusters.emplace(source, static_cast<std::uint32_t>(clusters.size())).first;
    frame.items.push_back({row, group->second, cluster->second});
  }
  frame.clustered = clusters.size() < frame.items.size();
  return frame;
}

namespace {

const store::MetricRecord& find_metric(const TaskData& data, const std::string& name) {
  for (const store::MetricRecord& metric : data.task.metrics) {
    if (metric.name == name) return metric;
  }
  throw_input("task {}: no metric \"{}\"", data.task.name, name);
}

/// What the repeats of one item scored in one part.
struct Repeats {
  double value = 0;
  double count = 0;
  std::int64_t n = 0;
  std::int64_t right = 0;
  std::vector<std::pair<std::uint64_t, double>> answers;  // with the value each scored
};

double majority_value(const Repeats& repeats) {
  // Answers in the order given; the first of the most frequent wins, no answer never does.
  std::uint64_t best = 0;
  std::int64_t most = 0;
  double value = 0;
  for (const auto& [answer, scored] : repeats.answers) {
    const auto count =
        std::count_if(repeats.answers.begin(), repeats.answers.end(),
                      [wanted = answer](const auto& other) { return other.first == wanted; });
    if (answer != 0 && answer != best && count > most) {
      most = count;
      best = answer;
      value = scored;
    }
  }
  return value;
}

ItemValue item_value(const store::MetricRecord& metric, const Repeats& repeats,
                     const MetricItem& item) {
  ItemValue out{0, 1, item.group, item.cluster};
  const auto n = static_cast<double>(repeats.n);
  if (metric.kind == "pass@k") {
    if (metric.k > repeats.n) {
      throw_input("{}: {} samples of an item, fewer than k", metric.name, repeats.n);
    }
    out.value = pass_at_k(repeats.n, repeats.right, metric.k);
  } else if (metric.kind == "maj@k") {
    out.value = majority_value(repeats);
  } else {
    out.value = repeats.value / n;
    out.count = repeats.count / n;
  }
  return out;
}

std::vector<ItemValue> item_values(const TaskData& data, const MetricFrame& frame,
                                   const store::MetricRecord& metric) {
  const auto& names = data.scores.metric_names;
  const auto part = static_cast<std::uint32_t>(std::find(names.begin(), names.end(), metric.part) -
                                               names.begin());
  std::vector<Repeats> sums(frame.items.size());
  for (const store::ScoreRow& row : data.scores.rows) {
    if (!row.scored) continue;
    const auto place =
        std::lower_bound(frame.items.begin(), frame.items.end(), row.item,
                         [](const MetricItem& item, std::int64_t key) { return item.item < key; });
    if (place == frame.items.end() || place->item != row.item) continue;
    Repeats& repeats = sums[static_cast<std::size_t>(place - frame.items.begin())];
    double value = 0;
    for (std::uint32_t i = row.first_part; i < row.first_part + row.part_count; ++i) {
      if (data.scores.parts[i].metric != part) continue;
      value += data.scores.parts[i].value;
      repeats.count += data.scores.parts[i].count;
    }
    repeats.value += value;
    ++repeats.n;
    repeats.right += value > 0 ? 1 : 0;
    if (metric.kind == "maj@k" && std::ssize(repeats.answers) < metric.k) {
      repeats.answers.emplace_back(row.vote_hash, value);
    }
  }
  std::vector<ItemValue> out;
  out.reserve(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    ASSAY_CHECK(sums[i].n > 0, "an item without a scored response");
    out.push_back(item_value(metric, sums[i], frame.items[i]));
  }
  return out;
}

}  // namespace

MetricResult compute_metric(const TaskData& data, const MetricFrame& frame,
                            const std::string& name) {
  const store::MetricRecord& metric = find_metric(data, name);
  MetricResult out;
  if (metric.kind == "mean_of") {
    std::vector<Estimate> parts;
    for (const std::string& part : metric.of) {
      if (find_metric(data, part).kind == "mean_of") {
        throw_input("metric {}: a mean of means is not supported", name);
      }
      parts.push_back(compute_metric(data, frame, part).estimate);
    }
    if (parts.empty()) throw_input("metric {}: made of nothing", name);
    out.estimate = mean_of_estimates(parts);
    return out;
  }
  out.values = item_values(data, frame, metric);
  out.estimate = metric.kind == "macro" ? macro_estimate(out.values) : mean_estimate(out.values);
  out.binary = metric.kind != "macro" &&
               std::all_of(out.values.begin(), out.values.end(), [](const ItemValue& item) {
                 return item.count == 1 && (item.value == 0 || item.value == 1);
               });
  return out;
}

Interval metric_interval(const MetricResult& result, const MetricFrame& frame, double confidence) {
  std::vector<ItemValue> items = result.values;
  if (items.empty()) {  // a mean of metrics: its error is in the influences
    for (const MetricItem& item : frame.items) items.push_back({0, 0, item.group, item.cluster});
  }
  return assay::metric_interval(result.estimate, items, result.binary, confidence);
}

}  // namespace assay::reports
