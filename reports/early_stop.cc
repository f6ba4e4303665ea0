#include "reports/early_stop.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "reports/sequential.h"

namespace assay::reports {

namespace {

/// Items with a response that has no verdict, ascending.
std::vector<std::int64_t> unscored_items(const TaskData& data) {
  std::vector<std::int64_t> out;
  for (const store::ScoreRow& row : data.scores.rows) {
    if (!row.scored) out.push_back(row.item);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool contains(const std::vector<std::int64_t>& sorted, std::int64_t value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

std::size_t place_of(const MetricFrame& frame, std::int64_t item) {
  const auto place =
      std::lower_bound(frame.items.begin(), frame.items.end(), item,
                       [](const MetricItem& entry, std::int64_t key) { return entry.item < key; });
  return static_cast<std::size_t>(place - frame.items.begin());
}

/// How much a point of each item moves the metric.
std::vector<double> point_weights(const std::vector<ItemValue>& items, bool macro) {
  std::map<std::uint32_t, double> counts;
  for (const ItemValue& item : items) counts[macro ? item.group : 0] += item.count;
  const auto groups =
      std::count_if(counts.begin(), counts.end(), [](auto& entry) { return entry.second > 0; });
  std::vector<double> out;
  out.reserve(items.size());
  for (const ItemValue& item : items) {
    const double count = counts[macro ? item.group : 0];
    out.push_back(count > 0 ? 1 / count / static_cast<double>(groups) : 0);
  }
  return out;
}

const store::MetricRecord& find_metric(const TaskData& data, const std::string& name) {
  for (const store::MetricRecord& metric : data.task.metrics) {
    if (metric.name == name) return metric;
  }
  throw_input("task {}: no metric \"{}\"", data.task.name, name);
}

}  // namespace

PrefixComparison::PrefixComparison(const store::Store& store, const store::RunTaskRecord& baseline,
                                   std::uint64_t seed)
    : baseline_(load_task_data(store, baseline)),
      frame_(make_frame(baseline_)),
      unscored_(unscored_items(baseline_)) {
  if (std::ssize(baseline_.scores.rows) < baseline.items * baseline.repeats) {
    throw Error(ErrorKind::kIncomparable,
                fmt::format("task {}@{}: the baseline has only {} of {} responses; a run that was "
                            "stopped early is no measure for another",
                            escaped(baseline.name), escaped(baseline.protocol),
                            baseline_.scores.rows.size(), baseline.items * baseline.repeats));
  }
  std::map<std::string, std::vector<std::int64_t>> clusters;
  for (const auto& [row, item] : baseline_.items) {
    clusters[seeded_rank(seed, item.cluster)].push_back(row);
  }
  for (auto& [rank, items] : clusters) order_.push_back(std::move(items));
}

PrefixComparison::Prefix PrefixComparison::prefix(const TaskData& candidate) const {
  std::map<std::int64_t, std::int64_t> stored;  // responses by item
  for (const store::ScoreRow& row : candidate.scores.rows) ++stored[row.item];
  const std::vector<std::int64_t> unscored = unscored_items(candidate);
  Prefix out;
  for (const std::vector<std::int64_t>& items : order_) {
    const auto whole = [&](std::int64_t item) {
      const auto found = stored.find(item);
      return found != stored.end() && found->second == candidate.task.repeats;
    };
    if (!std::all_of(items.begin(), items.end(), whole)) break;
    const auto bad = [&](std::int64_t item) {
      return contains(unscored, item) || contains(unscored_, item);
    };
    if (std::any_of(items.begin(), items.end(), bad)) continue;
    for (const std::int64_t item : items) {
      const std::uint32_t group = frame_.items[place_of(frame_, item)].group;
      out.frame.items.push_back({item, group, static_cast<std::uint32_t>(out.units)});
    }
    ++out.units;
  }
  std::sort(out.frame.items.begin(), out.frame.items.end(),
            [](const MetricItem& a, const MetricItem& b) { return a.item < b.item; });
  return out;
}

void PrefixComparison::add_changes(const TaskData& candidate, const Prefix& prefix,
                                   const std::string& metric, double share,
                                   Changes& changes) const {
  const store::MetricRecord& record = find_metric(baseline_, metric);
  if (record.kind == "mean_of") {
    for (const std::string& part : record.of) {
      add_changes(candidate, prefix, part, share / static_cast<double>(record.of.size()), changes);
    }
    return;
  }
  const std::vector<ItemValue> before = compute_metric(baseline_, frame_, metric).values;
  const std::vector<ItemValue> after = compute_metric(candidate, prefix.frame, metric).values;
  const std::vector<double> weights = point_weights(before, record.kind == "macro");
  const double scale = share * static_cast<double>(changes.bound_of.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    changes.bound_of[frame_.items[i].cluster] += scale * weights[i] * before[i].count;
  }
  for (std::size_t i = 0; i < after.size(); ++i) {
    const MetricItem& item = prefix.frame.items[i];
    const std::size_t place = place_of(frame_, item.item);
    changes.by_unit[item.cluster] +=
        scale * weights[place] * (after[i].value - before[place].value);
  }
}

MetricComparison PrefixComparison::compare(const TaskData& candidate, const std::string& metric,
                                           const CompareOptions& options) const {
  const Prefix seen = prefix(candidate);
  std::uint32_t clusters = 0;
  for (const MetricItem& item : frame_.items) clusters = std::max(clusters, item.cluster + 1);
  Changes changes{std::vector<double>(seen.units), std::vector<double>(clusters)};
  MetricComparison out;
  out.metric = metric;
  out.method = "betting, any time";
  out.baseline = compute_metric(baseline_, frame_, metric).estimate.value;
  out.candidate = out.baseline;
  out.interval = {-1, 1};
  if (seen.units == 0) return out;
  add_changes(candidate, seen, metric, 1, changes);
  const double bound = *std::max_element(changes.bound_of.begin(), changes.bound_of.end());
  std::vector<double> scaled;
  for (const double change : changes.by_unit) {
    out.difference += change / static_cast<double>(seen.units);
    scaled.push_back(bound > 0 ? std::clamp(change / bound, -1.0, 1.0) : 0);
  }
  out.candidate += out.difference;
  out.standard_error = plain_standard_error(changes.by_unit);
  const Interval interval = anytime_interval(scaled, 1 - options.alpha);
  out.interval = {std::max(-1.0, bound * interval.low), std::min(1.0, bound * interval.high)};
  out.p = anytime_p(scaled);
  out.p_adjusted = out.p;
  out.detectable = minimum_detectable(out.standard_error, options.alpha, options.power);
  return out;
}

}  // namespace assay::reports
