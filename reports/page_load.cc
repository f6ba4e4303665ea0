#include "reports/page_load.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace assay::reports {
namespace {

constexpr unsigned kMaxThreads = 8;

void load_one(const store::Store& store, LoadedTask& task) {
  task.label = task_label(task.data.task);
  task.data = load_task_data(store, task.data.task);
  std::sort(task.data.scores.rows.begin(), task.data.scores.rows.end(),
            [](const store::ScoreRow& a, const store::ScoreRow& b) {
              return std::pair(a.item, a.repeat) < std::pair(b.item, b.repeat);
            });
  compute_results(task);
}

}  // namespace

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
  for (const store::MetricRecord& metric : task.data.task.metrics) {
    task.results.push_back(compute_metric(task.data, task.frame, metric.name));
  }
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
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> errors(out.size() + 1);
  const auto work = [&] {
    std::size_t index = out.size();
    try {
      const store::Store own = store::Store::open(store.path(), store::OpenMode::kReadOnly);
      while ((index = next++) < out.size()) load_one(own, out[index]);
    } catch (...) {
      errors[std::min(index, out.size())] = std::current_exception();
      next = out.size();
    }
  };
  const std::size_t threads =
      std::min<std::size_t>({std::max(1U, std::thread::hardware_concurrency()), kMaxThreads,
                             std::max<std::size_t>(1, out.size())});
  std::vector<std::thread> pool;
  for (std::size_t i = 0; i < threads; ++i) pool.emplace_back(work);
  for (std::thread& thread : pool) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return out;
}

}  // namespace assay::reports
