#include "reports/page_speed.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/estimate.h"
#include "reports/compare_speed.h"
#include "reports/page_facts.h"
#include "store/bench_values.h"

namespace assay::reports {
namespace {

constexpr double kConfidence = 0.95;
constexpr std::size_t kMaxTrendRuns = 60;  // earlier runs that are read

PageBehaviour behaviour_of(const LoadedTask& task) {
  PageBehaviour out{.task = task.label, .run = task.run};
  std::int64_t tokens = 0;
  for (const store::ScoreRow& row : task.data.scores.rows) {
    ++out.responses;
    tokens += row.output_tokens;
    out.truncated += row.truncated ? 1 : 0;
    out.unscored += row.scored ? 0 : 1;
    out.unanswered += row.scored && row.vote_hash == 0 ? 1 : 0;
  }
  if (out.responses > 0) {
    out.mean_output_tokens = static_cast<double>(tokens) / static_cast<double>(out.responses);
  }
  return out;
}

void add_spread(std::vector<PageSpread>& out, std::size_t run, std::vector<double> values) {
  if (values.empty()) return;
  const std::int64_t count = std::ssize(values);
  out.push_back({.run = run, .count = count, .quantiles = spread_of(std::move(values))});
}

/// Times of the responses that were generated; scored prompts have no output tokens.
void add_spreads(const std::vector<LoadedTask>& tasks, std::size_t run, Page& page) {
  std::vector<double> first;
  std::vector<double> total;
  std::vector<double> rates;
  for (const LoadedTask& task : tasks) {
    if (task.run != run) continue;
    for (const store::ScoreRow& row : task.data.scores.rows) {
      if (row.first_token_ns > 0) first.push_back(static_cast<double>(row.first_token_ns) / 1e6);
      if (row.total_ns > 0) total.push_back(static_cast<double>(row.total_ns) / 1e6);
      const std::int64_t after_first = row.total_ns - row.first_token_ns;
      if (row.output_tokens > 1 && row.first_token_ns > 0 && after_first > 0) {
        rates.push_back(static_cast<double>(row.output_tokens - 1) * 1e9 /
                        static_cast<double>(after_first));
      }
    }
  }
  add_spread(page.first_token_ms, run, std::move(first));
  add_spread(page.total_ms, run, std::move(total));
  add_spread(page.rates, run, std::move(rates));
}

void add_benches(const store::Store& store, const store::RunRecord& run, std::size_t index,
                 Page& page) {
  for (const store::BenchCaseRecord& bench : store.load_bench(run.row)) {
    std::set<std::string> metrics;
    std::int64_t invalid = 0;
    for (const store::BenchRepRecord& rep : bench.reps) {
      if (rep.warmup) continue;
      if (!rep.invalid_reason.empty()) {
        ++invalid;
        continue;
      }
      for (const auto& [metric, value] : rep.values) metrics.insert(metric);
    }
    for (const std::string& metric : metrics) {
      const store::BenchValues values = store::bench_values(bench, metric);
      const MeanInterval mean = mean_interval(values.values, kConfidence);
      page.benches.push_back({.run = index,
                              .name = bench.name,
                              .metric = metric,
                              .repetitions = values.repetitions,
                              .starts = values.starts,
                              .mean = mean.mean,
                              .interval = mean.interval,
                              .invalid = invalid});
    }
  }
}

bool same_configuration(const store::RunRecord& a, const store::RunRecord& b) {
  return a.model.digest == b.model.digest && a.setting == b.setting && a.kv == b.kv &&
         a.device == b.device && a.machine.machine_class == b.machine.machine_class;
}

/// The fastest offline case of a run, by its mean.
std::optional<double> offline_rate(const store::Store& store, const store::RunRecord& run) {
  std::optional<double> best;
  for (const store::BenchCaseRecord& bench : store.load_bench(run.row)) {
    if (bench.kind != "throughput") continue;
    const std::vector<double> values = store::bench_values(bench, "output_tokens_per_s").values;
    if (values.empty()) continue;
    best = std::max(best.value_or(0), mean_interval(values, kConfidence).mean);
  }
  return best;
}

/// Of the run itself, else of the newest run of its configuration.
void take_offline_rate(const store::Store& store, const std::vector<store::RunRecord>& all,
                       const store::RunRecord& run, PageRun& shown) {
  std::vector<const store::RunRecord*> sources = {&run};
  for (const store::RunRecord& other : all) {
    if (other.row != run.row && other.status == store::RunStatus::kDone &&
        same_configuration(other, run)) {
      sources.push_back(&other);
    }
  }
  for (const store::RunRecord* source : sources) {
    if (const auto rate = offline_rate(store, *source)) {
      shown.tokens_per_second = rate;
      shown.speed_source = source->name;
      return;
    }
  }
}

bool same_line(const store::RunRecord& a, const store::RunRecord& b) {
  return a.suite_name == b.suite_name && a.model.name == b.model.name &&
         setting_text(a) == setting_text(b) && a.label == b.label;
}

void add_point(const store::Store& store, const store::RunRecord& run,
               const store::RunTaskRecord& task, PageTrend& trend) {
  LoadedTask loaded;
  loaded.data = load_task_data(store, task);
  compute_results(loaded);
  if (loaded.results.empty()) return;
  const Interval interval = result_interval(loaded, 0);
  trend.points.push_back({.run = run.name,
                          .commit = run.revision.empty() ? run.build.git_commit : run.revision,
                          .started_at = run.started_at,
                          .value = {.value = loaded.results[0].estimate.value,
                                    .low = interval.low,
                                    .high = interval.high,
                                    .items = loaded.results[0].estimate.items}});
}

}  // namespace

std::vector<double> spread_of(std::vector<double> values) {
  std::vector<double> out;
  if (values.empty()) return out;
  auto from = values.begin();  // what lies before is no larger than all that follows
  for (const double share : kSpreadShares) {
    const double rank = std::ceil(share * static_cast<double>(values.size()) - 1e-9);
    const auto place =
        values.begin() + std::max<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(rank) - 1);
    std::nth_element(from, place, values.end());
    out.push_back(*place);
    from = place;
  }
  return out;
}

void add_speed(const store::Store& store, const std::vector<store::RunRecord>& runs,
               const std::vector<LoadedTask>& tasks, Page& page) {
  const std::vector<store::RunRecord> all = store.list_runs();
  for (std::size_t run = 0; run < runs.size(); ++run) {
    std::int64_t tokens = 0;
    for (const LoadedTask& task : tasks) {
      if (task.run != run) continue;
      page.behaviours.push_back(behaviour_of(task));
      for (const store::ScoreRow& row : task.data.scores.rows) tokens += row.output_tokens;
      page.responses_stored += std::ssize(task.data.scores.rows);
    }
    if (runs[run].active_ns > 0 && tokens > 0) {
      page.runs[run].tokens_per_second =
          static_cast<double>(tokens) * 1e9 / static_cast<double>(runs[run].active_ns);
    }
    take_offline_rate(store, all, runs[run], page.runs[run]);
    add_spreads(tasks, run, page);
    add_benches(store, runs[run], run, page);
  }
}

void add_trends(const store::Store& store, const std::vector<store::RunRecord>& runs,
                const std::vector<LoadedTask>& tasks, Page& page) {
  const std::vector<store::RunRecord> all = store.list_runs();
  std::size_t read = 0;
  for (const LoadedTask& task : tasks) {
    const store::RunRecord& shown = runs[task.run];
    PageTrend trend{.name = shown.model.name + " " + setting_text(shown), .task = task.label};
    for (auto run = all.rbegin(); run != all.rend(); ++run) {
      if (!same_line(*run, shown) || run->status != store::RunStatus::kDone) continue;
      for (const store::RunTaskRecord& other : store.load_tasks(run->row)) {
        const bool same =
            task_label(other) == task.label && !other.metrics.empty() &&
            other.dataset_digest == task.data.task.dataset_digest &&
            other.definition.dump_canonical() == task.data.task.definition.dump_canonical();
        if (!same || all.size() == runs.size() || read >= kMaxTrendRuns) continue;
        ++read;
        trend.metric = other.metrics.front().name;
        add_point(store, *run, other, trend);
      }
    }
    if (trend.points.size() > 1) page.trends.push_back(std::move(trend));
  }
}

}  // namespace assay::reports
