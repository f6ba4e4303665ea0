#include "reports/page_load.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace assay::reports {
namespace {

constexpr unsigned kMaxThreads = 8;

void compute_metrics(LoadedTask& task) {
  task.results.clear();
  if (task.frame.items.empty()) return;
  for (const store::MetricRecord& metric : task.data.task.metrics) {
    task.results.push_back(compute_metric(task.data, task.frame, metric.name));
  }
}

/// With the frame of `leader`, where it has the same items: reading a million items once for each
/// run would take a third of the time of a large page.
void load_one(const store::Store& store, LoadedTask& task, const LoadedTask* leader) {
  task.label = task_label(task.data.task);
  task.data.scores = store.load_scores(task.data.task.row);
  std::sort(task.data.scores.rows.begin(), task.data.scores.rows.end(),
            [](const store::ScoreRow& a, const store::ScoreRow& b) {
              return std::pair(a.item, a.repeat) < std::pair(b.item, b.repeat);
            });
  for (const store::ScoreRow& row : task.data.scores.rows) {
    task.frame.unscored += row.scored ? 0 : 1;
  }
  if (leader != nullptr && same_items(*leader, task)) {
    task.leader = leader;
    task.frame = leader->frame;
    task.groups = leader->groups;
    compute_metrics(task);
    return;
  }
  task.data.items = store.load_items(task.data.task.row);
  compute_results(task);
}

/// Loads the tasks of `order`, several at a time.
void load_some(const store::Store& store, std::vector<LoadedTask>& tasks,
               const std::vector<std::size_t>& order, const std::vector<std::size_t>& leaders) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> errors(order.size() + 1);
  const auto work = [&] {
    std::size_t index = order.size();
    try {
      const store::Store own = store::Store::open(store.path(), store::OpenMode::kReadOnly);
      while ((index = next++) < order.size()) {
        const std::size_t task = order[index];
        const std::size_t leader = leaders[task];
        load_one(own, tasks[task], leader == task ? nullptr : &tasks[leader]);
      }
    } catch (...) {
      errors[std::min(index, order.size())] = std::current_exception();
      next = order.size();
    }
  };
  const std::size_t threads = std::min<std::size_t>(
      {std::max(1U, std::thread::hardware_concurrency()), kMaxThreads, order.size()});
  std::vector<std::thread> pool;
  for (std::size_t i = 0; i < threads; ++i) pool.emplace_back(work);
  for (std::thread& thread : pool) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace

bool same_items(const LoadedTask& a, const LoadedTask& b) {
  if (a.frame.unscored + b.frame.unscored > 0) return false;
  return std::equal(a.data.scores.rows.begin(), a.data.scores.rows.end(),
                    b.data.scores.rows.begin(), b.data.scores.rows.end(),
                    [](const store::ScoreRow& x, const store::ScoreRow& y) {
                      return x.item == y.item && x.repeat == y.repeat;
                    });
}

std::string task_label(const store::RunTaskRecord& task) { return task.name + "@" + task.protocol; }

void compute_results(LoadedTask& task) {
  task.frame = make_frame(task.data);
  task.groups.clear();
  task.results.clear();
  if (task.frame.items.empty()) return;
  auto entry = task.data.items.begin();
  for (const MetricItem& item : task.frame.items) {  // both are in the order of the row keys
    while (entry->first < item.item) ++entry;
    if (item.group >= task.groups.size()) task.groups.resize(item.group + std::size_t{1});
    std::string& name = task.groups[item.group];
    if (name.empty()) name = entry->second.group;
  }
  compute_metrics(task);
}

Interval result_interval(const LoadedTask& task, std::size_t index) {
  const Interval interval = metric_interval(task.results[index], task.frame);
  return {std::max(0.0, interval.low), std::min(1.0, interval.high)};
}

std::vector<LoadedTask> load_page_tasks(const store::Store& store,
                                        const std::vector<store::RunRecord>& runs) {
  std::vector<LoadedTask> out;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    for (store::RunTaskRecord& task : store.load_tasks(runs[run].row)) {
      out.emplace_back().run = run;
      out.back().data.task = std::move(task);
    }
  }
  // The first task of each label leads; the others of the label compare themselves with it.
  std::vector<std::size_t> leaders(out.size());
  std::vector<std::size_t> first;
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::string label = task_label(out[i].data.task);
    std::size_t leader = 0;
    while (task_label(out[leader].data.task) != label) ++leader;
    leaders[i] = leader;
    (leader == i ? first : rest).push_back(i);
  }
  load_some(store, out, first, leaders);
  load_some(store, out, rest, leaders);
  for (LoadedTask& task : out) {
    task.stopped_early =
        runs[task.run].inputs.find(store::kGateBaseline) != nullptr &&
        std::ssize(task.data.scores.rows) < task.data.task.items * task.data.task.repeats;
  }
  return out;
}

}  // namespace assay::reports
