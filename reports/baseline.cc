#include "reports/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "reports/metrics.h"

namespace assay::reports {

namespace {

bool is_like(const store::RunRecord& run, const store::RunRecord& other) {
  return run.suite_name == other.suite_name && run.model.name == other.model.name &&
         run.setting == other.setting && run.kv == other.kv;
}

bool is_whole(const store::Store& store, const store::RunRecord& run) {
  if (run.status != store::RunStatus::kDone || run.inputs.find(store::kShard)) return false;
  const std::vector<store::RunTaskRecord> tasks = store.load_tasks(run.row);
  return std::all_of(tasks.begin(), tasks.end(), [&](const store::RunTaskRecord& task) {
    return std::ssize(store.stored_keys(task.row)) >= task.items * task.repeats;
  });
}

double mean_headline(const store::Store& store, const store::RunRecord& run) {
  double sum = 0;
  double count = 0;
  for (const store::RunTaskRecord& task : store.load_tasks(run.row)) {
    const TaskData data = load_task_data(store, task);
    sum += compute_metric(data, make_frame(data), task.metrics.front().name).estimate.value;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

/// Newest first.
std::vector<store::RunRecord> whole_runs(
    const store::Store& store, const store::RunRecord& like,
    const std::function<bool(const store::RunRecord&)>& wanted) {
  std::vector<store::RunRecord> out;
  for (store::RunRecord& run : store.list_runs()) {
    const bool earlier = like.started_at.empty() || run.started_at <= like.started_at;
    if (is_like(run, like) && earlier && wanted(run) && is_whole(store, run)) {
      out.push_back(std::move(run));
    }
  }
  return out;
}

TrendTask trend_task(const store::Store& store, const store::RunTaskRecord& task) {
  const TaskData data = load_task_data(store, task);
  const MetricFrame frame = make_frame(data);
  TrendTask out{.task = task.name + "@" + task.protocol, .metric = task.metrics.front().name};
  const MetricResult result = compute_metric(data, frame, out.metric);
  out.value = result.estimate.value;
  out.interval = metric_interval(result, frame);
  return out;
}

void add_changes(const store::Store& store, const TrendPoint& before, TrendPoint& point) {
  try {
    const Comparison comparison = compare_runs(store, before.run, point.run, {.max_flips = 0});
    for (const TaskComparison& task : comparison.tasks) {
      for (TrendTask& entry : point.tasks) {
        if (entry.task == task.task) entry.change = task.metrics.front();
      }
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kIncomparable) throw;  // said by a change that is missing
  }
}

}  // namespace

store::RunRecord find_baseline(const store::Store& store, const std::string& selector,
                               const store::RunRecord& candidate) {
  const std::size_t colon = selector.find(':');
  const std::string kind = colon == std::string::npos ? "" : selector.substr(0, colon);
  if (kind != "branch" && kind != "best" && kind != "revision") return store.load_run(selector);
  const std::string name = selector.substr(colon + 1);
  if (name.empty()) throw_input("baseline \"{}\": a name is missing after the colon", selector);
  std::vector<store::RunRecord> runs =
      whole_runs(store, candidate, [&](const store::RunRecord& run) {
        if (run.row == candidate.row) return false;
        return kind == "revision" ? run.revision.starts_with(name) : run.branch == name;
      });
  if (runs.empty()) {
    throw Error(ErrorKind::kIncomparable,
                fmt::format("{}: baseline \"{}\": no finished run of suite {}, model {}, setting "
                            "{}, kv {} that asked all of its tasks",
                            store.path().string(), escaped(selector), escaped(candidate.suite_name),
                            escaped(candidate.model.name), escaped(candidate.setting),
                            escaped(candidate.kv)));
  }
  if (kind != "best") return std::move(runs.front());
  std::size_t best = 0;
  double highest = -1;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const double value = mean_headline(store, runs[i]);
    if (value > highest) {
      highest = value;
      best = i;
    }
  }
  return std::move(runs[best]);
}

std::vector<TrendPoint> find_trend(const store::Store& store, const store::RunRecord& run) {
  store::RunRecord like = run;
  like.started_at.clear();  // newer ones too
  std::vector<store::RunRecord> runs = whole_runs(
      store, like, [&](const store::RunRecord& other) { return other.branch == run.branch; });
  std::reverse(runs.begin(), runs.end());
  std::vector<TrendPoint> out;
  for (store::RunRecord& entry : runs) {
    TrendPoint point{.run = std::move(entry)};
    for (const store::RunTaskRecord& task : store.load_tasks(point.run.row)) {
      point.tasks.push_back(trend_task(store, task));
    }
    if (!out.empty()) add_changes(store, out.back(), point);
    out.push_back(std::move(point));
  }
  return out;
}

std::string trend_text(const std::vector<TrendPoint>& trend) {
  std::string out;
  for (const TrendPoint& point : trend) {
    out += fmt::format("{}  {}  {}\n", point.run.started_at, point.run.name,
                       point.run.revision.empty() ? "-" : escaped(point.run.revision));
    for (const TrendTask& task : point.tasks) {
      out += fmt::format("  {:<24} {:<14} {:6.2f} % [{:.2f}, {:.2f}]", escaped(task.task),
                         escaped(task.metric), 100 * task.value, 100 * task.interval.low,
                         100 * task.interval.high);
      if (task.change) {
        out += fmt::format("  {:+.2f} points [{:+.2f}, {:+.2f}], Holm p {:.3g}",
                           100 * task.change->difference, 100 * task.change->interval.low,
                           100 * task.change->interval.high, task.change->p_adjusted);
      }
      out += "\n";
    }
  }
  return out;
}

Json trend_json(const std::vector<TrendPoint>& trend) {
  Json::Array points;
  for (const TrendPoint& point : trend) {
    Json::Array tasks;
    for (const TrendTask& task : point.tasks) {
      Json entry;
      entry.set("task", task.task);
      entry.set("metric", task.metric);
      entry.set("value", task.value);
      entry.set("interval", Json(Json::Array{task.interval.low, task.interval.high}));
      Json change;
      if (task.change) {
        change.set("difference", task.change->difference);
        change.set("interval",
                   Json(Json::Array{task.change->interval.low, task.change->interval.high}));
        change.set("p_adjusted", task.change->p_adjusted);
      }
      entry.set("change", std::move(change));
      tasks.push_back(std::move(entry));
    }
    Json entry;
    entry.set("run", point.run.name);
    entry.set("started_at", point.run.started_at);
    entry.set("branch", point.run.branch);
    entry.set("revision", point.run.revision);
    entry.set("tasks", Json(std::move(tasks)));
    points.push_back(std::move(entry));
  }
  Json out;
  out.set("schema", "assay-trend-1");
  out.set("runs", Json(std::move(points)));
  return out;
}

}  // namespace assay::reports
