#include "evals/aggregate.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/check.h"

namespace assay::evals {
namespace {

/// The scored repeats of one item, in order of repeat.
struct Item {
  const Observation* first = nullptr;
  std::vector<const Observation*> scored;
};

std::vector<Item> collect_items(std::span<const Observation* const> observations) {
  std::vector<Item> items;
  std::unordered_map<std::string_view, std::size_t> index;
  for (const Observation* observation : observations) {
    const auto [place, is_new] = index.try_emplace(observation->item, items.size());
    if (is_new) items.push_back({.first = observation, .scored = {}});
    if (observation->score.verdict != Verdict::kUnscored) {
      items[place->second].scored.push_back(observation);
    }
  }
  for (Item& item : items) {
    std::ranges::stable_sort(item.scored, {}, &Observation::repeat);
  }
  return items;
}

const ScorePart* find_part(const Score& score, const std::string& metric) {
  const auto found = std::ranges::find(score.parts, metric, &ScorePart::metric);
  return found == score.parts.end() ? nullptr : &*found;
}

ItemValue item_value(const Item& item, double value, double count) {
  const Observation& first = *item.first;
  return {.item = first.item,
          .group = first.group,
          .cluster = first.cluster.empty() ? first.item : first.cluster,
          .value = value,
          .count = count};
}

/// Mean over the repeats of what the item adds to `part`; nothing when no repeat has it.
std::vector<ItemValue> mean_items(const std::vector<Item>& items, const std::string& part) {
  std::vector<ItemValue> values;
  for (const Item& item : items) {
    double value = 0;
    double count = 0;
    int repeats = 0;
    for (const Observation* observation : item.scored) {
      if (const ScorePart* found = find_part(observation->score, part)) {
        value += found->value;
        count += found->count;
        ++repeats;
      }
    }
    if (repeats > 0) values.push_back(item_value(item, value / repeats, count / repeats));
  }
  return values;
}

bool is_right(const Observation& observation, const std::string& part) {
  const ScorePart* found = find_part(observation.score, part);
  return found != nullptr && found->value >= found->count;
}

/// Whether the most frequent vote among the first k is right; of votes that are equally frequent,
/// the one that came first. No answer is no vote.
bool majority_is_right(const Item& item, const std::string& part, std::size_t k) {
  std::map<std::string, int> votes;
  for (std::size_t i = 0; i < k; ++i) ++votes[vote_of(item.scored[i]->score)];
  const Observation* best = nullptr;
  int most = 0;
  for (std::size_t i = 0; i < k; ++i) {
    const std::string vote = vote_of(item.scored[i]->score);
    if (vote.empty() || votes[vote] <= most) continue;
    best = item.scored[i];
    most = votes[vote];
  }
  return best != nullptr && is_right(*best, part);
}

/// One value an item for pass@k and maj@k; nothing at all if some item has too few repeats.
std::vector<ItemValue> repeat_items(const std::vector<Item>& items, const MetricSpec& spec) {
  const auto k = static_cast<std::size_t>(std::max(spec.k, 1));
  std::vector<ItemValue> values;
  for (const Item& item : items) {
    if (item.scored.empty()) continue;
    if (item.scored.size() < k) return {};
    double value = 0;
    if (spec.kind == MetricKind::kMajAtK) {
      value = majority_is_right(item, spec.part, k) ? 1 : 0;
    } else {
      const auto right = std::ranges::count_if(
          item.scored, [&](const Observation* o) { return is_right(*o, spec.part); });
      value = pass_at_k(static_cast<std::int64_t>(item.scored.size()), right, spec.k);
    }
    values.push_back(item_value(item, value, 1));
  }
  return values;
}

void finish(MetricValue& metric) { metric.value = metric.of > 0 ? metric.count / metric.of : 0; }

void sum_items(MetricValue& metric) {
  for (const ItemValue& item : metric.items) {
    metric.count += item.value;
    metric.of += item.count;
  }
  finish(metric);
}

void sum_groups(MetricValue& metric) {
  std::map<std::string_view, std::pair<double, double>> groups;
  for (const ItemValue& item : metric.items) {
    groups[item.group].first += item.value;
    groups[item.group].second += item.count;
  }
  for (const auto& [name, sums] : groups) {
    metric.count += sums.second > 0 ? sums.first / sums.second : 0;
    metric.of += 1;
  }
  finish(metric);
}

void sum_metrics(MetricValue& metric, const MetricSpec& spec,
                 const std::vector<MetricValue>& others) {
  for (const std::string& name : spec.of) {
    const auto found = std::ranges::find(others, name, &MetricValue::name);
    if (found == others.end() || found->of <= 0) return;
    metric.count += found->value;
  }
  metric.of = static_cast<double>(spec.of.size());
  finish(metric);
}

void compute_one(MetricValue& metric, const MetricSpec& spec, const std::vector<Item>& items,
                 bool one_group) {
  switch (spec.kind) {
    case MetricKind::kMean:
      metric.items = mean_items(items, spec.part);
      sum_items(metric);
      break;
    case MetricKind::kMacro:
      if (one_group) break;
      metric.items = mean_items(items, spec.part);
      sum_groups(metric);
      break;
    case MetricKind::kPassAtK:
    case MetricKind::kMajAtK:
      metric.items = repeat_items(items, spec);
      sum_items(metric);
      break;
    case MetricKind::kMeanOf:  // after all others, wherever it stands in the list
      break;
  }
}

std::vector<MetricValue> compute(std::span<const MetricSpec> specs, const std::vector<Item>& items,
                                 bool one_group) {
  std::vector<MetricValue> metrics;
  for (const MetricSpec& spec : specs) {
    metrics.push_back({.name = spec.name, .kind = spec.kind, .items = {}});
    compute_one(metrics.back(), spec, items, one_group);
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].kind == MetricKind::kMeanOf) sum_metrics(metrics[i], specs[i], metrics);
  }
  std::erase_if(metrics, [](const MetricValue& metric) { return metric.of <= 0; });
  return metrics;
}

}  // namespace

double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  ASSAY_CHECK(0 <= c && c <= n && 1 <= k && k <= n, "pass@k out of range");
  if (n - c < k) return 1;
  double all_fail = 1;
  for (std::int64_t i = n - c + 1; i <= n; ++i) {
    all_fail *= 1 - static_cast<double>(k) / static_cast<double>(i);
  }
  return 1 - all_fail;
}

Observation observe(const Benchmark& benchmark, const Protocol& protocol, const Sample& sample,
                    std::int64_t repeat, Score score) {
  return {.item = sample.id,
          .group = sample.group,
          .category = benchmark.category(sample, protocol),
          .cluster = sample.cluster.empty() ? sample.id : sample.cluster,
          .repeat = repeat,
          .score = std::move(score)};
}

const MetricValue* Aggregate::find(std::string_view name) const {
  const auto found = std::ranges::find(metrics, name, &MetricValue::name);
  return found == metrics.end() ? nullptr : &*found;
}

Aggregate aggregate(std::span<const MetricSpec> metrics,
                    std::span<const Observation> observations) {
  Aggregate result;
  std::vector<const Observation*> all;
  std::map<std::string, std::vector<const Observation*>> groups;
  for (const Observation& observation : observations) {
    all.push_back(&observation);
    if (!observation.group.empty()) groups[observation.group].push_back(&observation);
    if (!observation.category.empty() && observation.category != observation.group) {
      groups[observation.category].push_back(&observation);
    }
    if (observation.score.verdict == Verdict::kUnscored) ++result.unscored;
  }
  const std::vector<Item> items = collect_items(all);
  result.responses = static_cast<std::int64_t>(observations.size());
  result.items = static_cast<std::int64_t>(items.size());
  result.metrics = compute(metrics, items, false);
  for (const auto& [name, members] : groups) {
    result.groups.emplace_back(name, compute(metrics, collect_items(members), true));
  }
  return result;
}

std::vector<MetricSpec> with_repeat_metrics(std::span<const MetricSpec> metrics,
                                            std::int64_t repeats) {
  std::vector<MetricSpec> all(metrics.begin(), metrics.end());
  const auto headline = std::ranges::find_if(metrics, [](const MetricSpec& m) {
    return !m.part.empty();  // a mean of other metrics has none
  });
  if (repeats <= 1 || headline == metrics.end()) return all;
  const auto add = [&](MetricKind kind, const char* prefix, std::int64_t k) {
    std::string name = prefix + std::to_string(k);
    if (std::ranges::find(all, name, &MetricSpec::name) != all.end()) return;
    all.push_back({.name = std::move(name),
                   .kind = kind,
                   .part = headline->part,
                   .k = static_cast<int>(k),
                   .of = {}});
  };
  add(MetricKind::kPassAtK, "pass@", 1);
  for (std::int64_t k = 2; k < repeats; k *= 2) add(MetricKind::kPassAtK, "pass@", k);
  add(MetricKind::kPassAtK, "pass@", repeats);
  add(MetricKind::kMajAtK, "maj@", repeats);
  add(MetricKind::kMean, "avg@", repeats);
  return all;
}

}  // namespace assay::evals
