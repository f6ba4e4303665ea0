#include "suites/summary.h"

#include "evals/interval.h"
#include "suites/records.h"
#include "suites/suite.h"

namespace assay::suites {
namespace {

/// Counts are whole unless repeats were averaged.
Json count_json(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

evals::Observation to_observation(const store::SampleRecord& sample) {
  evals::Observation out{.item = sample.item.key,
                         .group = sample.item.group,
                         .category = sample.item.category,
                         .cluster = sample.item.cluster,
                         .repeat = sample.generation.repeat};
  if (sample.score) {
    out.score = to_score(*sample.score);
  } else {
    out.score.verdict = evals::Verdict::kUnscored;
    out.score.reason = sample.generation.error.empty() ? "not scored yet" : sample.generation.error;
  }
  return out;
}

TaskSummary summarize_task(const store::Store& store, store::RunTaskRecord task) {
  TaskSummary out;
  std::vector<evals::Observation> observations;
  store.for_each_sample(task.row, {.texts = false}, [&](const store::SampleRecord& sample) {
    observations.push_back(to_observation(sample));
    out.output_tokens += sample.generation.output_tokens;
    out.truncated += sample.generation.finish_reason == "length" ? 1 : 0;
    return true;
  });
  std::vector<evals::MetricSpec> metrics;
  for (const store::MetricRecord& metric : task.metrics) metrics.push_back(to_spec(metric));
  out.aggregate = evals::aggregate(metrics, observations);
  out.task = std::move(task);
  return out;
}

}  // namespace

std::vector<TaskSummary> summarize(const store::Store& store, std::int64_t run_row) {
  std::vector<TaskSummary> out;
  for (store::RunTaskRecord& task : store.load_tasks(run_row)) {
    out.push_back(summarize_task(store, std::move(task)));
  }
  return out;
}

Json metrics_json(const std::vector<evals::MetricValue>& metrics) {
  Json out{Json::Object{}};
  for (const evals::MetricValue& metric : metrics) {
    Json entry;
    entry.set("value", metric.value);
    entry.set("count", count_json(metric.count));
    entry.set("of", count_json(metric.of));
    const auto interval = evals::interval95(metric);
    entry.set("ci95", interval ? Json(Json::Array{interval->low, interval->high}) : Json());
    out.set(metric.name, std::move(entry));
  }
  return out;
}

Json run_json(const store::RunRecord& run, const std::vector<TaskSummary>& tasks) {
  Json out;
  out.set("run", run.name);
  out.set("model", run.model.name);
  out.set("setting", setting_name({.precision = run.setting, .kv = run.kv}));
  out.set("status", store::run_status_name(run.status));
  Json list{Json::Array{}};
  for (const TaskSummary& task : tasks) {
    Json entry;
    entry.set("task", task.task.name);
    entry.set("protocol", task.task.protocol);
    entry.set("samples", task.aggregate.responses);
    entry.set("planned", task.task.items * task.task.repeats);
    entry.set("unscored", task.aggregate.unscored);
    entry.set("truncated", task.truncated);
    entry.set("output_tokens", task.output_tokens);
    entry.set("metrics", metrics_json(task.aggregate.metrics));
    list.push_back(std::move(entry));
  }
  out.set("tasks", std::move(list));
  return out;
}

}  // namespace assay::suites
