#include "reports/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "reports/compare_speed.h"
#include "reports/hypothesis.h"
#include "reports/page_facts.h"
#include "reports/page_load.h"
#include "reports/page_pairs.h"
#include "reports/page_samples.h"
#include "reports/page_speed.h"
#include "reports/page_verdict.h"

namespace assay::reports {
namespace {

constexpr std::size_t kMaxGroups = 150;  // of one task; more are no picture

/// The newest run of each suite, model and setting, oldest first, so that a suite's order is kept.
std::vector<store::RunRecord> choose_runs(const store::Store& store, const PageOptions& options) {
  std::vector<store::RunRecord> out;
  for (const std::string& name : options.runs) {
    store::RunRecord run = store.load_run(name);
    const bool known = std::any_of(out.begin(), out.end(),
                                   [&](const auto& other) { return other.row == run.row; });
    if (!known) out.push_back(std::move(run));
  }
  if (!options.runs.empty()) return out;
  std::set<std::string> seen;
  for (store::RunRecord& run : store.list_runs()) {
    const std::string key =
        run.suite_name + "\n" + run.model.name + "\n" + setting_text(run) + "\n" + run.label;
    if (seen.insert(key).second) out.push_back(std::move(run));
  }
  std::reverse(out.begin(), out.end());
  if (out.empty()) throw_input("{}: the store holds no run", store.path().string());
  return out;
}

std::size_t choose_reference(const std::vector<store::RunRecord>& runs, const std::string& wanted,
                             const store::Store& store) {
  if (!wanted.empty()) {
    const std::int64_t row = store.load_run(wanted).row;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (runs[i].row == row) return i;
    }
    throw_input("the reference run \"{}\" is not among the runs of the page", wanted);
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (setting_text(runs[i]) == "bf16") return i;
  }
  return 0;
}

std::string suite_title(const store::RunRecord& run) {
  const Json* title = run.suite.find("title");
  return title != nullptr && title->is_string() && !title->as_string().empty() ? title->as_string()
                                                                               : run.suite_name;
}

/// Builds the page; holds the loaded data of every run and task.
class PageBuilder {
 public:
  PageBuilder(const store::Store& store, const PageOptions& options)
      : store_(store), options_(options), runs_(choose_runs(store, options)) {
    page_.reference = choose_reference(runs_, options.reference, store);
    tasks_ = load_page_tasks(store, runs_);
  }

  Page build() {
    page_.title = options_.title.empty() ? suite_title(runs_.front()) : options_.title;
    for (std::size_t i = 0; i < runs_.size(); ++i) add_run(i);
    for (const std::string& label : labels()) add_task(label);
    add_means();
    correct_for_tasks();
    add_speed(store_, runs_, tasks_, page_);
    page_.numerics = load_numerics_rows(store_, runs_);
    add_identical();
    add_trends(store_, runs_, tasks_, page_);
    add_notes();
    add_published();
    page_.items = choose_samples(store_, tasks_,
                                 {.reference = page_.reference,
                                  .max_bytes = options_.sample_bytes,
                                  .include_restricted = options_.include_restricted},
                                 page_.withheld);
    return std::move(page_);
  }

 private:
  /// Labels of all tasks, in the order of the first run that has each.
  std::vector<std::string> labels() const {
    std::vector<std::string> out;
    for (const LoadedTask& task : tasks_) {
      if (std::find(out.begin(), out.end(), task.label) == out.end()) out.push_back(task.label);
    }
    return out;
  }

  const LoadedTask* find_task(std::size_t run, const std::string& label) const {
    for (const LoadedTask& task : tasks_) {
      if (task.run == run && task.label == label) return &task;
    }
    return nullptr;
  }

  void add_notes() {
    std::set<std::string> own;
    std::int64_t damaged = 0;
    for (const LoadedTask& task : tasks_) {
      if (!task.data.task.dataset_published) own.insert(task.label);
      damaged += task.data.scores.damaged;
    }
    if (!own.empty()) {
      page_.notes.push_back(
          fmt::format("Not the published data sets, so these scores are not the benchmarks': {}.",
                      join(std::vector<std::string>(own.begin(), own.end()), ", ")));
    }
    for (const store::RunRecord& run : runs_) {
      if (run.status == store::RunStatus::kDone) continue;
      page_.notes.push_back(fmt::format("{} {}: the run is {}.", run.model.name, setting_text(run),
                                        store::run_status_name(run.status)));
    }
    add_machine_notes();
    if (damaged > 0) {
      page_.notes.push_back(
          fmt::format("{} damaged scores are left out; see assay runs verify.", damaged));
    }
  }

  /// Runs whose speeds were measured on a machine that was not as it was for the reference.
  void add_machine_notes() {
    for (const store::RunRecord& run : runs_) {
      for (const SpeedComparison& speed : compare_speeds(store_, runs_[page_.reference], run)) {
        if (speed.machine_difference.empty()) continue;
        page_.notes.push_back(fmt::format(
            "{} {}: when the speed of {} was measured, {} of what it was for the reference; the "
            "two speeds say little about the settings.",
            run.model.name, setting_text(run), speed.name, speed.machine_difference));
        break;
      }
    }
  }

  void add_run(std::size_t index) {
    const store::RunRecord& run = runs_[index];
    PageRun out{.id = run.name,
                .label = run.label,
                .model = run.model.name,
                .setting = setting_text(run),
                .status = store::run_status_name(run.status),
                .started_at = run.started_at,
                .commit = run.revision.empty() ? run.build.git_commit : run.revision,
                .energy_j = run.energy_j,
                .provenance = run_facts(run)};
    if (run.peak_memory_bytes) out.peak_memory_bytes = static_cast<double>(*run.peak_memory_bytes);
    for (const LoadedTask& task : tasks_) {
      if (task.run == index) out.tasks.emplace_back(task.label, task_facts(task.data.task));
    }
    page_.runs.push_back(std::move(out));
  }

  void add_task(const std::string& label) {
    const std::size_t first_metric = page_.metrics.size();
    PageGroups groups{.task = label};
    const LoadedTask* reference = find_task(page_.reference, label);
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      const LoadedTask* task = find_task(run, label);
      if (task == nullptr || task->results.empty()) continue;
      for (std::size_t i = 0; i < task->results.size(); ++i) {
        metric_row(label, task->data.task.metrics[i].name, first_metric).values[run] =
            value_of(*task, i);
      }
      add_groups(*task, groups);
      if (run == page_.reference) continue;
      PagePair pair;
      if (reference == nullptr || reference->results.empty()) {
        pair.incomparable = "the reference run lacks the task";
      } else {
        pair = pair_tasks(store_, *reference, *task);
      }
      add_pair(*task, reference, pair, first_metric);
      if (pair.incomparable.empty()) changes_[{run, label}] = std::move(pair.change);
      add_group_differences(run, reference, pair, groups);
    }
    if (groups.groups.size() > 1) page_.groups.push_back(std::move(groups));
  }

  PageMetric& metric_row(const std::string& task, const std::string& metric, std::size_t first) {
    for (std::size_t i = first; i < page_.metrics.size(); ++i) {
      if (page_.metrics[i].metric == metric) return page_.metrics[i];
    }
    page_.metrics.push_back(
        {.task = task,
         .metric = metric,
         .headline = page_.metrics.size() == first,
         .values = std::vector<std::optional<PageValue>>(runs_.size()),
         .differences = std::vector<std::optional<PageDifference>>(runs_.size()),
         .incomparable = std::vector<std::string>(runs_.size())});
    return page_.metrics.back();
  }

  static PageValue value_of(const LoadedTask& task, std::size_t index) {
    const Interval interval = result_interval(task, index);
    return {.value = task.results[index].estimate.value,
            .low = interval.low,
            .high = interval.high,
            .items = task.results[index].estimate.items,
            .unscored = task.frame.unscored};
  }

  void add_pair(const LoadedTask& task, const LoadedTask* reference, const PagePair& pair,
                std::size_t first_metric) {
    for (std::size_t i = first_metric; i < page_.metrics.size(); ++i) {
      PageMetric& row = page_.metrics[i];
      row.incomparable[task.run] = pair.incomparable;
      if (!pair.incomparable.empty()) continue;
      for (std::size_t k = 0; k < pair.metrics.size(); ++k) {
        if (reference->data.task.metrics[k].name == row.metric) {
          row.differences[task.run] = pair.metrics[k];
        }
      }
    }
  }

  /// The first plain mean of a task, group by group; none for tasks with hundreds of groups.
  void add_groups(const LoadedTask& task, PageGroups& out) {
    const auto plain = plain_metric(task.data.task);
    if (!plain || task.groups.size() > kMaxGroups) return;
    out.metric = task.data.task.metrics[*plain].name;
    for (std::size_t i = 0; i < task.groups.size(); ++i) {
      if (task.groups[i].empty()) continue;
      group_row(task.groups[i], out).values[task.run] =
          group_value(task, *plain, static_cast<std::uint32_t>(i));
    }
  }

  PageGroup& group_row(const std::string& name, PageGroups& out) {
    const auto place =
        std::lower_bound(out.groups.begin(), out.groups.end(), name,
                         [](const PageGroup& row, const std::string& n) { return row.name < n; });
    if (place != out.groups.end() && place->name == name) return *place;
    return *out.groups.insert(place,
                              {.name = name,
                               .values = std::vector<std::optional<PageValue>>(runs_.size()),
                               .differences = std::vector<std::optional<PageValue>>(runs_.size())});
  }

  void add_group_differences(std::size_t run, const LoadedTask* reference, const PagePair& pair,
                             PageGroups& out) {
    for (std::size_t i = 0; i < pair.groups.size() && !out.groups.empty(); ++i) {
      if (!pair.groups[i] || reference->groups[i].empty()) continue;
      group_row(reference->groups[i], out).differences[run] = pair.groups[i];
    }
  }

  /// Holm over the headline metrics of each run and their mean, as `assay compare` does.
  void correct_for_tasks() {
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      std::vector<PageDifference*> rows;
      std::vector<double> p;
      for (PageMetric& metric : page_.metrics) {
        if (!metric.headline || !metric.differences[run]) continue;
        rows.push_back(&*metric.differences[run]);
      }
      if (auto& mean = page_.runs[run].mean_change) rows.push_back(&*mean);
      for (const PageDifference* row : rows) p.push_back(row->p);
      const std::vector<double> adjusted = holm(p);
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i]->p_adjusted = adjusted[i];
    }
  }

  static void add_counts(const PageDifference& task, PageDifference& out) {
    out.items += task.items;
    out.responses += task.responses;
    out.identical += task.identical;
    out.right_to_wrong += task.right_to_wrong;
    out.wrong_to_right += task.wrong_to_right;
  }

  void add_means() {
    for (const PageMetric& metric : page_.metrics) {
      const bool common = std::all_of(metric.values.begin(), metric.values.end(),
                                      [](const auto& value) { return value.has_value(); });
      const bool paired = std::all_of(metric.incomparable.begin(), metric.incomparable.end(),
                                      [](const std::string& reason) { return reason.empty(); });
      if (metric.headline && common && paired) page_.common_tasks.push_back(metric.task);
    }
    if (page_.common_tasks.size() < 2) return;
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      double sum = 0;
      std::vector<TaskChange> changes;
      PageDifference counts;
      for (const PageMetric& metric : page_.metrics) {
        if (!metric.headline || !is_common(page_, metric.task)) continue;
        sum += metric.values[run]->value;
        if (!metric.differences[run]) continue;
        changes.push_back(changes_.at({run, metric.task}));
        add_counts(*metric.differences[run], counts);
      }
      page_.runs[run].mean = sum / static_cast<double>(page_.common_tasks.size());
      if (changes.size() != page_.common_tasks.size()) continue;
      page_.runs[run].mean_change = mean_difference(changes);
      add_counts(counts, *page_.runs[run].mean_change);
    }
  }

  void add_identical() {
    for (PageBehaviour& row : page_.behaviours) {
      for (const PageMetric& metric : page_.metrics) {
        if (!metric.headline || metric.task != row.task || !metric.differences[row.run]) continue;
        const PageDifference& d = *metric.differences[row.run];
        if (d.responses > 0) {
          row.identical = static_cast<double>(d.identical) / static_cast<double>(d.responses);
        }
      }
    }
  }

  void add_published() {
    for (const PublishedScore& score : options_.published) {
      const bool task_shown =
          std::any_of(tasks_.begin(), tasks_.end(),
                      [&](const LoadedTask& task) { return task.data.task.name == score.task; });
      const bool model_shown =
          std::any_of(runs_.begin(), runs_.end(), [&](const store::RunRecord& run) {
            return to_lower_ascii(run.model.name) == to_lower_ascii(score.model);
          });
      if (task_shown && (model_shown || options_.all_published)) page_.published.push_back(score);
    }
  }

  const store::Store& store_;
  const PageOptions& options_;
  std::vector<store::RunRecord> runs_;
  std::vector<LoadedTask> tasks_;  // of all runs, in their order
  std::map<std::pair<std::size_t, std::string>, TaskChange> changes_;  // by run and task
  Page page_;
};

}  // namespace

Page load_page(const store::Store& store, const PageOptions& options) {
  return PageBuilder(store, options).build();
}

}  // namespace assay::reports
