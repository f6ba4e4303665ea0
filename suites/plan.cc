#include "suites/plan.h"

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "evals/aggregate.h"
#include "evals/shots.h"
#include "evals/templates.h"
#include "suites/translate.h"

namespace assay::suites {
namespace {

/// Reads one split, noting its digest and its bad records in the plan.
std::vector<evals::Sample> load_samples(PlannedTask& plan, const std::string& split,
                                        const PlanOptions& options) {
  datasets::Loaded loaded =
      datasets::load_split(plan.benchmark->manifest(), split, options.data,
                           {.custom = plan.options.custom_data, .skip_bad = options.skip_bad});
  plan.data_sha256 =
      plan.data_sha256.empty() ? loaded.sha256 : sha256_hex(plan.data_sha256 + " " + loaded.sha256);
  plan.published_data = plan.published_data && loaded.published;
  for (datasets::BadRecord& bad : loaded.bad) plan.bad.push_back(std::move(bad));
  return to_samples(*plan.benchmark, loaded.records, options.skip_bad ? &plan.bad : nullptr);
}

}  // namespace

Shard parse_shard(const std::string& text) {
  constexpr std::int64_t kMostShards = 100'000;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto index = parse_int(text.substr(0, slash));
  const auto count = parse_int(text.substr(std::min(slash + 1, text.size())));
  if (!index || !count || *count < 1 || *count > kMostShards || *index < 1 || *index > *count) {
    throw_input("--shard {}: must be i/n with i from 1 to n, as in 2/8", escaped(text));
  }
  return {.index = *index, .count = *count};
}

std::vector<evals::Sample> to_samples(const evals::Benchmark& benchmark,
                                      const std::vector<datasets::Record>& records,
                                      std::vector<datasets::BadRecord>* bad) {
  std::vector<evals::Sample> samples;
  samples.reserve(records.size());
  for (const datasets::Record& record : records) {
    try {
      for (evals::Sample& sample : benchmark.to_samples(record)) {
        samples.push_back(std::move(sample));
      }
    } catch (const Error& error) {
      if (bad == nullptr || error.kind() != ErrorKind::kInput) throw;
      bad->push_back({.place = record.place(), .reason = error.what()});
    }
  }
  return samples;
}

std::string PlannedTask::label() const {
  return fmt::format("{}@{}", benchmark->name(), protocol->name);
}

Json PlannedTask::definition() const {
  const engine::SamplingParams sampling = sampling_params(*protocol, options.sampling, 0);
  Json out;
  out.set("task", benchmark->name());
  out.set("protocol", protocol->name);
  out.set("version", protocol->version);
  out.set("split", split);
  out.set("temperature", sampling.temperature);
  out.set("top_p", sampling.top_p);
  out.set("top_k", sampling.top_k);
  out.set("max_tokens", sampling.max_tokens);
  Json stop{Json::Array{}};
  for (const std::string& text : sampling.stop) stop.push_back(text);
  out.set("stop", std::move(stop));
  out.set("shots", protocol->shots.count);
  if (!options.answer_after.empty()) out.set("answer_after", options.answer_after);
  if (benchmark->manifest().restricted) out.set("restricted", true);
  if (!bad.empty()) out.set("records_left_out", bad.size());
  return out;
}

PlannedTask plan_task(const SuiteTask& task, const PlanOptions& options) {
  PlannedTask plan;
  plan.options = task;
  plan.benchmark = &evals::find_benchmark(task.task);
  plan.protocol = &evals::find_protocol(*plan.benchmark, task.protocol);
  plan.split = task.split.empty() ? plan.protocol->split : task.split;
  plan.metrics = evals::with_repeat_metrics(plan.protocol->metrics, task.repeats);
  std::erase_if(plan.metrics, [&](const evals::MetricSpec& metric) {
    const bool over_repeats =
        metric.kind == evals::MetricKind::kPassAtK || metric.kind == evals::MetricKind::kMajAtK;
    return over_repeats && metric.k > task.repeats;
  });
  if (!task.prompts.empty()) plan.templates = evals::load_templates(task.prompts);
  const std::vector<evals::Sample> all = load_samples(plan, plan.split, options);
  const evals::ShotRule& rule = plan.protocol->shots;
  std::vector<evals::Sample> pool;
  if (!rule.split.empty() && rule.split != plan.split) {
    pool = load_samples(plan, rule.split, options);
  }
  const std::span<const evals::Sample> examples = pool.empty() ? std::span(all) : std::span(pool);
  const std::vector<std::vector<evals::Sample>> shots =
      evals::draw_shots(*plan.protocol, all, examples);
  const std::vector<std::size_t> chosen = choose_samples(all, task, options.limit);
  if (chosen.empty()) {
    throw_input("{}: no sample is left (split \"{}\", {} samples, groups and limits of the suite)",
                plan.label(), plan.split, all.size());
  }
  for (const std::size_t index : chosen) {
    const bool published = plan.templates && plan.templates->published;
    plan.samples.push_back(published ? plan.templates->published->annotated(all[index])
                                     : all[index]);
    plan.shots.push_back(shots.empty() ? std::vector<evals::Sample>{} : shots[index]);
  }
  const auto samples = static_cast<std::int64_t>(plan.samples.size());
  const Shard& shard = options.shard;
  if (shard.count > samples) {
    throw_input("{}: {} samples cannot be cut into {} shards", plan.label(), samples, shard.count);
  }
  plan.begin = static_cast<std::size_t>(samples * (shard.index - 1) / shard.count);
  plan.end = static_cast<std::size_t>(samples * shard.index / shard.count);
  (void)make_prompt(plan, 0, 0);  // a missing prompt text ends the plan, not the run
  return plan;
}

evals::Prompt make_prompt(const PlannedTask& task, std::size_t sample, std::int64_t repeat) {
  if (task.templates && task.templates->published) {
    return task.templates->published->prompt(task.samples[sample]);
  }
  const evals::PromptContext context{
      .protocol = task.protocol,
      .shots = task.shots[sample],
      .templates = task.templates ? &*task.templates : nullptr,
      .repeat = repeat,
  };
  return task.benchmark->to_prompt(task.samples[sample], context);
}

engine::Request make_request(const PlannedTask& task, std::size_t sample, std::int64_t repeat,
                             std::uint64_t seed) {
  return to_request(make_prompt(task, sample, repeat),
                    sampling_params(*task.protocol, task.options.sampling, seed),
                    task.samples[sample].id, repeat);
}

}  // namespace assay::suites
