#include "reports/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "reports/compare.h"
#include "reports/metrics.h"

namespace assay::reports {
namespace {

std::string setting_text(const store::RunRecord& run) {
  return run.kv.empty() || run.kv == "bf16" || run.kv == "none" ? run.setting
                                                                : run.setting + "+kv-" + run.kv;
}

std::string task_label(const store::RunTaskRecord& task) { return task.name + "@" + task.protocol; }

/// The newest run of each suite, model and setting, oldest first, so that a suite's order is kept.
std::vector<store::RunRecord> choose_runs(const store::Store& store, const PageOptions& options) {
  std::vector<store::RunRecord> out;
  for (const std::string& name : options.runs) out.push_back(store.load_run(name));
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

using Provenance = std::vector<std::pair<std::string, std::string>>;

/// What people publish: no host name, user or path.
Provenance provenance(const store::RunRecord& run, const std::vector<store::RunTaskRecord>& tasks) {
  Provenance out = {
      {"Run", run.name},
      {"Suite", run.suite_name + " " + run.suite_digest.substr(0, 16)},
      {"Model digest", run.model.digest},
      {"Tokenizer digest", run.model.tokenizer_digest},
      {"Setting", setting_text(run)},
      {"Device, arithmetic", run.device + ", " + run.arithmetic},
      {"Seed", std::to_string(run.seed)},
      {"assay", run.build.version + " " + run.build.git_commit},
      {"Compiler", run.build.compiler},
      {"Machine", run.machine.machine_class},
      {"Started", run.started_at},
      {"Finished", run.finished_at},
      {"Attempts", std::to_string(run.attempts)},
      {"Active time", fmt::format("{:.1f} s", static_cast<double>(run.active_ns) / 1e9)}};
  if (!run.machine.gpu.empty()) out.emplace_back("GPU", run.machine.gpu);
  if (!run.sandbox.empty()) out.emplace_back("Sandbox", run.sandbox);
  if (!run.language_data.empty()) out.emplace_back("Language data", run.language_data);
  if (run.peak_memory_bytes) {
    out.emplace_back(
        "Peak memory",
        fmt::format("{:.0f} MiB", static_cast<double>(*run.peak_memory_bytes) / (1 << 20)));
  }
  for (const store::RunTaskRecord& task : tasks) {
    out.emplace_back(task_label(task) + " data",
                     task.dataset_digest.substr(0, 16) +
                         (task.dataset_published ? "" : ", not the published data set"));
    out.emplace_back(task_label(task) + " protocol",
                     fmt::format("version {}, {}", task.protocol_version, task.definition.dump()));
  }
  return out;
}

bool is_restricted(const store::RunTaskRecord& task) {
  const Json* mark = task.definition.find("restricted");
  return mark != nullptr && mark->is_bool() && mark->as_bool();
}

constexpr const char* kWithheld =
    "[withheld: the data set's authors ask that items are not published]";

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
    for (const store::RunRecord& run : runs_) tasks_.push_back(store.load_tasks(run.row));
  }

  Page build() {
    page_.title = options_.title.empty() ? suite_title(runs_.front()) : options_.title;
    add_notes();
    for (std::size_t i = 0; i < runs_.size(); ++i) add_run(i);
    for (const std::string& label : labels()) add_task(label);
    add_differences();
    add_samples();
    return std::move(page_);
  }

 private:
  /// Labels of all tasks, in the order of the first run that has each.
  std::vector<std::string> labels() const {
    std::vector<std::string> out;
    for (const auto& tasks : tasks_) {
      for (const store::RunTaskRecord& task : tasks) {
        const std::string label = task_label(task);
        if (std::find(out.begin(), out.end(), label) == out.end()) out.push_back(label);
      }
    }
    return out;
  }

  const store::RunTaskRecord* find_task(std::size_t run, const std::string& label) const {
    for (const store::RunTaskRecord& task : tasks_[run]) {
      if (task_label(task) == label) return &task;
    }
    return nullptr;
  }

  void add_notes() {
    std::set<std::string> own;
    for (const auto& tasks : tasks_) {
      for (const store::RunTaskRecord& task : tasks) {
        if (!task.dataset_published) own.insert(task_label(task));
      }
    }
    if (!own.empty()) {
      page_.notes.push_back(fmt::format(
          "Not the published data sets, so these scores are not the benchmarks': {}.",
          join(std::vector<std::string>(own.begin(), own.end()), ", ")));
    }
    for (const store::RunRecord& run : runs_) {
      if (run.status == store::RunStatus::kDone) continue;
      page_.notes.push_back(fmt::format("{} {}: the run is {}.", run.model.name, setting_text(run),
                                        store::run_status_name(run.status)));
    }
  }

  void add_run(std::size_t index) {
    const store::RunRecord& run = runs_[index];
    PageRun out{.id = run.name,
                .model = run.model.name,
                .setting = setting_text(run),
                .status = store::run_status_name(run.status),
                .provenance = provenance(run, tasks_[index])};
    std::int64_t tokens = 0;
    for (const store::RunTaskRecord& task : tasks_[index]) {
      for (const store::ScoreRow& row : store_.load_scores(task.row).rows)
        tokens += row.output_tokens;
    }
    if (run.active_ns > 0 && tokens > 0) {
      out.tokens_per_second =
          static_cast<double>(tokens) / (static_cast<double>(run.active_ns) / 1e9);
    }
    page_.runs.push_back(std::move(out));
  }

  static PageValue value_of(const MetricResult& result, const MetricFrame& frame) {
    const Interval interval = metric_interval(result, frame);
    return {.value = result.estimate.value,
            .low = std::max(0.0, interval.low),
            .high = std::min(1.0, interval.high),
            .items = result.estimate.items,
            .unscored = frame.unscored};
  }

  void add_task(const std::string& label) {
    const std::size_t first_metric = page_.metrics.size();
    std::map<std::string, PageGroup> groups;
    std::string headline;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const store::RunTaskRecord* task = find_task(i, label);
      if (task == nullptr) continue;
      const TaskData data = load_task_data(store_, *task);
      const MetricFrame frame = make_frame(data);
      if (frame.items.empty()) continue;
      for (const store::MetricRecord& metric : task->metrics) {
        if (headline.empty()) headline = metric.name;
        metric_row(label, metric.name, first_metric).values[i] =
            value_of(compute_metric(data, frame, metric.name), frame);
      }
      add_groups(data, frame, *task, i, groups);
    }
    if (groups.size() < 2) return;
    PageGroups table{.task = label, .metric = group_metric_};
    for (auto& [name, group] : groups) table.groups.push_back(std::move(group));
    page_.groups.push_back(std::move(table));
  }

  PageMetric& metric_row(const std::string& task, const std::string& metric, std::size_t first) {
    for (std::size_t i = first; i < page_.metrics.size(); ++i) {
      if (page_.metrics[i].metric == metric) return page_.metrics[i];
    }
    page_.metrics.push_back({.task = task,
                             .metric = metric,
                             .headline = page_.metrics.size() == first,
                             .values = std::vector<std::optional<PageValue>>(runs_.size()),
                             .differences = std::vector<std::optional<PageValue>>(runs_.size())});
    return page_.metrics.back();
  }

  /// The first plain mean of a task, group by group.
  void add_groups(const TaskData& data, const MetricFrame& frame, const store::RunTaskRecord& task,
                  std::size_t run, std::map<std::string, PageGroup>& groups) {
    const auto plain = std::find_if(task.metrics.begin(), task.metrics.end(),
                                    [](const auto& metric) { return metric.kind == "mean"; });
    if (plain == task.metrics.end()) return;
    group_metric_ = plain->name;
    const MetricResult result = compute_metric(data, frame, plain->name);
    std::map<std::string, std::pair<MetricFrame, std::vector<ItemValue>>> parts;
    for (std::size_t i = 0; i < frame.items.size(); ++i) {
      const std::string& name = group_name(data, frame.items[i].item);
      if (name.empty()) continue;
      auto& part = parts[name];
      part.first.items.push_back(frame.items[i]);
      part.second.push_back(result.values[i]);
    }
    for (auto& [name, part] : parts) {
      part.first.clustered = frame.clustered;
      const MetricResult group{
          .estimate = mean_estimate(part.second), .values = part.second, .binary = result.binary};
      PageGroup& row = groups[name];
      row.name = name;
      row.values.resize(runs_.size());
      row.values[run] = value_of(group, part.first);
    }
  }

  static const std::string& group_name(const TaskData& data, std::int64_t item) {
    const auto found =
        std::lower_bound(data.items.begin(), data.items.end(), item,
                         [](const auto& entry, std::int64_t row) { return entry.first < row; });
    return found->second.group;
  }

  void add_differences() {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (i == page_.reference) continue;
      try {
        const Comparison comparison = compare_runs(store_, runs_[page_.reference], runs_[i],
                                                   {.common_items = true, .max_flips = 10});
        for (const TaskComparison& task : comparison.tasks) add_difference(task, i);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kIncomparable) throw;
        page_.notes.push_back(fmt::format("{} {} is not compared: {}", runs_[i].model.name,
                                          setting_text(runs_[i]), error.what()));
      }
    }
  }

  void add_difference(const TaskComparison& task, std::size_t run) {
    for (const MetricComparison& metric : task.metrics) {
      for (PageMetric& row : page_.metrics) {
        if (row.task != task.task || row.metric != metric.metric) continue;
        row.differences[run] = PageValue{.value = metric.difference,
                                         .low = metric.interval.low,
                                         .high = metric.interval.high,
                                         .items = task.items,
                                         .unscored = task.unscored};
      }
    }
    const store::RunTaskRecord* stored = find_task(run, task.task);
    const bool withhold =
        !options_.include_restricted && stored != nullptr && is_restricted(*stored);
    for (const Flip& flip : task.flips) {
      page_.samples.push_back({.item = flip.item,
                               .task = task.task,
                               .run = run,
                               .verdict = flip.right_to_wrong ? "incorrect" : "correct",
                               .response = withhold ? kWithheld : flip.candidate_response,
                               .answer = flip.candidate_answer,
                               .target = flip.target,
                               .reason = flip.right_to_wrong ? "right in the reference run"
                                                             : "wrong in the reference run"});
    }
  }

  /// A few responses of each task and run, for a look at what was asked and answered.
  void add_samples() {
    constexpr std::size_t kEach = 3;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      for (const store::RunTaskRecord& task : tasks_[i]) {
        std::size_t shown = 0;
        store_.for_each_sample(task.row, {}, [&](const store::SampleRecord& sample) {
          if (page_.samples.size() >= options_.max_samples) return false;
          page_.samples.push_back(page_sample(sample, task, i));
          if (is_restricted(task) && !options_.include_restricted) {
            page_.samples.back().prompt = page_.samples.back().response = kWithheld;
          }
          return ++shown < kEach;
        });
        page_.samples_left_out +=
            std::max<std::int64_t>(0, task.items * task.repeats - static_cast<std::int64_t>(shown));
      }
    }
  }

  static PageSample page_sample(const store::SampleRecord& sample, const store::RunTaskRecord& task,
                                std::size_t run) {
    PageSample out{.item = sample.item.key,
                   .task = task_label(task),
                   .run = run,
                   .verdict = "unscored",
                   .prompt = sample.generation.prompt.text,
                   .response = sample.generation.text,
                   .target = sample.item.target,
                   .reason = sample.generation.error};
    if (sample.score) {
      out.verdict = store::verdict_name(sample.score->verdict);
      out.answer = sample.score->answer;
      out.reason = sample.score->reason;
    }
    return out;
  }

  const store::Store& store_;
  const PageOptions& options_;
  std::vector<store::RunRecord> runs_;
  std::vector<std::vector<store::RunTaskRecord>> tasks_;  // of each run
  std::string group_metric_;
  Page page_;
};

}  // namespace

Page load_page(const store::Store& store, const PageOptions& options) {
  return PageBuilder(store, options).build();
}

}  // namespace assay::reports
