#include "suites/records.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "base/error.h"

namespace assay::suites {
namespace {

store::Verdict to_verdict(evals::Verdict verdict) {
  switch (verdict) {
    case evals::Verdict::kCorrect:
      return store::Verdict::kCorrect;
    case evals::Verdict::kIncorrect:
      return store::Verdict::kIncorrect;
    case evals::Verdict::kUnscored:
      break;
  }
  return store::Verdict::kUnscored;
}

struct KindName {
  evals::MetricKind kind;
  std::string_view name;
};
constexpr KindName kKinds[] = {{evals::MetricKind::kMean, "mean"},
                               {evals::MetricKind::kMacro, "macro"},
                               {evals::MetricKind::kPassAtK, "pass@k"},
                               {evals::MetricKind::kMajAtK, "maj@k"},
                               {evals::MetricKind::kMeanOf, "mean_of"}};

std::string kind_name(evals::MetricKind kind) {
  for (const KindName& entry : kKinds) {
    if (entry.kind == kind) return std::string(entry.name);
  }
  ASSAY_CHECK(false, "a kind of metric has no name");
}

evals::Verdict from_record(store::Verdict verdict) {
  switch (verdict) {
    case store::Verdict::kCorrect:
      return evals::Verdict::kCorrect;
    case store::Verdict::kIncorrect:
      return evals::Verdict::kIncorrect;
    case store::Verdict::kUnscored:
      break;
  }
  return evals::Verdict::kUnscored;
}

}  // namespace

store::ScoreRecord to_record(const evals::Score& score) {
  store::ScoreRecord out;
  out.verdict = to_verdict(score.verdict);
  out.value = score.value;
  out.answer = score.answer;
  out.reason = score.reason;
  out.detail = score.detail;
  for (const evals::ScorePart& part : score.parts) {
    out.parts.push_back({.metric = part.metric, .value = part.value, .count = part.count});
  }
  return out;
}

store::MetricRecord to_record(const evals::MetricSpec& metric) {
  return {.name = metric.name,
          .kind = kind_name(metric.kind),
          .part = metric.part,
          .k = metric.k,
          .of = metric.of};
}

store::ItemRecord to_record(const evals::Sample& sample) {
  return {.key = sample.id,
          .group = sample.group,
          .category = sample.category,
          .cluster = sample.cluster,
          .question = sample.question,
          .target = sample.target};
}

store::ModelRecord to_record(const engine::ModelInfo& model) {
  return {.name = model.name,
          .digest = model.digest,
          .tokenizer_digest = model.tokenizer_digest,
          .parameters = model.parameters,
          .weight_bytes = model.weight_bytes,
          .detail = model.detail};
}

store::MachineRecord to_record(const Machine& machine) {
  return {.machine_class = machine.hardware_class(),
          .host = machine.host,
          .os = machine.os,
          .cpu = machine.cpu,
          .cores = machine.cores,
          .memory_bytes = machine.memory_bytes,
          .detail = machine.to_json()};
}

store::RunTaskRecord to_record(const PlannedTask& task) {
  store::RunTaskRecord out;
  out.name = task.benchmark->name();
  out.protocol = task.protocol->name;
  out.protocol_version = task.protocol->version;
  out.split = task.split;
  out.dataset_digest = task.data_sha256;
  out.dataset_published = task.published_data;
  out.prompts_digest = task.templates ? task.templates->sha256 : "";
  for (const evals::MetricSpec& metric : task.metrics) out.metrics.push_back(to_record(metric));
  out.definition = task.definition();
  out.scorer = task.label();
  out.scorer_version = std::to_string(task.protocol->version);
  out.items = static_cast<std::int64_t>(task.end - task.begin);
  out.repeats = task.options.repeats;
  return out;
}

store::GenerationRecord to_record(const engine::Completion& completion, std::string prompt) {
  store::GenerationRecord out;
  out.prompt = {.text = std::move(prompt), .ids = completion.prompt_ids};
  out.text = completion.text;
  out.ids = completion.ids;
  out.finish_reason = engine::finish_reason_name(completion.finish_reason);
  out.error = completion.error;
  for (const engine::ContinuationScore& score : completion.continuations) {
    out.choices.push_back({.logprob = score.logprob,
                           .tokens = static_cast<std::int64_t>(score.ids.size()),
                           .greedy = score.greedy});
  }
  out.prompt_tokens = completion.prompt_ids.empty()
                          ? completion.prompt_tokens
                          : static_cast<std::int64_t>(completion.prompt_ids.size());
  out.cached_tokens = completion.cached_prompt_tokens;
  out.output_tokens = completion.ids.empty() ? completion.output_tokens
                                             : static_cast<std::int64_t>(completion.ids.size());
  out.scheduled_ns = completion.times.scheduled_ns;
  out.sent_ns = completion.times.sent_ns;
  out.first_ns = completion.times.first_ns;
  out.last_ns = completion.times.last_ns;
  const engine::Served& served = completion.served;
  out.served = {.endpoint = served.endpoint,
                .model = served.model,
                .fingerprint = served.fingerprint,
                .attempts = served.attempts,
                .waited_ns = served.waited_ns,
                .faults = served.faults};
  out.attempts = std::max<std::int64_t>(1, served.attempts);
  return out;
}

evals::Score to_score(const store::ScoreRecord& score) {
  evals::Score out;
  out.verdict = from_record(score.verdict);
  out.value = score.value;
  out.answer = score.answer;
  out.reason = score.reason;
  out.detail = score.detail;
  for (const store::PartRecord& part : score.parts) {
    out.parts.push_back({.metric = part.metric, .value = part.value, .count = part.count});
  }
  return out;
}

evals::MetricSpec to_spec(const store::MetricRecord& metric) {
  for (const KindName& entry : kKinds) {
    if (entry.name != metric.kind) continue;
    return {.name = metric.name,
            .kind = entry.kind,
            .part = metric.part,
            .k = static_cast<int>(metric.k),
            .of = metric.of};
  }
  throw_input("metric {}: unknown kind \"{}\" in the store", metric.name, metric.kind);
}

evals::Response to_response(const store::GenerationRecord& generation) {
  ASSAY_CHECK(generation.error.empty(), "a failed generation has no response");
  evals::Response out;
  out.text = generation.text;
  out.truncated = generation.finish_reason == "length";
  for (const store::ChoiceRecord& choice : generation.choices) {
    out.choices.push_back({.logprob = choice.logprob,
                           .tokens = static_cast<int>(choice.tokens),
                           .greedy = choice.greedy});
  }
  return out;
}

store::NumericsRecord to_record(const engine::Numerics& numerics) {
  store::NumericsRecord out;
  out.tokens = numerics.tokens;
  out.kl_mean = numerics.kl_mean;
  out.kl_p50 = numerics.kl_p50;
  out.kl_p90 = numerics.kl_p90;
  out.kl_p99 = numerics.kl_p99;
  out.kl_p999 = numerics.kl_p999;
  out.kl_max = numerics.kl_max;
  out.top1 = std::min(numerics.top1, 1.0);  // a sum of shares
  out.perplexity = numerics.perplexity;
  out.perplexity_reference = numerics.perplexity_reference;
  for (const engine::LayerError& layer : numerics.layers) {
    out.layers.push_back({layer.relative, layer.snr_db});
  }
  return out;
}

}  // namespace assay::suites
