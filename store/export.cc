#include "store/export.h"

#include <cmath>

namespace assay::store {

namespace {

Json ids_json(const std::vector<std::int32_t>& ids) {
  Json::Array out;
  for (const std::int32_t id : ids) out.emplace_back(static_cast<int>(id));
  return Json(std::move(out));
}

Json choices_json(const std::vector<ChoiceRecord>& choices) {
  Json::Array out;
  for (const ChoiceRecord& choice : choices) {
    Json entry;
    entry.set("logprob", std::isinf(choice.logprob) ? Json("-inf") : Json(choice.logprob));
    entry.set("tokens", choice.tokens);
    entry.set("greedy", choice.greedy);
    out.push_back(std::move(entry));
  }
  return Json(std::move(out));
}

/// What scorers measure has a name that ends in "_seconds": it differs between equal runs.
Json without_times(const Json& detail) {
  if (!detail.is_object()) return detail;
  Json out{Json::Object{}};
  for (const auto& [name, value] : detail.as_object()) {
    if (!name.ends_with("_seconds")) out.set(name, value);
  }
  return out;
}

void set_score(Json& line, const ScoreRecord& score, bool times) {
  line.set("verdict", verdict_name(score.verdict));
  line.set("value", score.value);
  line.set("answer", score.answer);
  line.set("reason", score.reason);
  line.set("detail", times ? score.detail : without_times(score.detail));
  Json::Array parts;
  for (const PartRecord& part : score.parts) {
    Json entry;
    entry.set("metric", part.metric);
    entry.set("value", part.value);
    entry.set("count", part.count);
    parts.push_back(std::move(entry));
  }
  line.set("parts", Json(std::move(parts)));
}

Json served_json(const ServedRecord& served) {
  Json out;
  out.set("endpoint", served.endpoint);
  out.set("model", served.model);
  out.set("fingerprint", served.fingerprint);
  out.set("attempts", served.attempts);
  out.set("waited_ns", served.waited_ns);
  Json::Array faults;
  for (const std::string& fault : served.faults) faults.emplace_back(fault);
  out.set("faults", Json(std::move(faults)));
  return out;
}

Json task_json(const RunTaskRecord& task) {
  Json out;
  out.set("task", task.name);
  out.set("protocol", task.protocol);
  out.set("protocol_version", task.protocol_version);
  out.set("split", task.split);
  out.set("items", task.items);
  out.set("repeats", task.repeats);
  out.set("dataset_digest", task.dataset_digest);
  out.set("dataset_published", task.dataset_published);
  out.set("prompts_digest", task.prompts_digest);
  out.set("scorer", task.scorer + " " + task.scorer_version);
  out.set("definition", task.definition);
  return out;
}

Json machine_json(const MachineRecord& machine) {
  Json out;
  out.set("class", machine.machine_class);
  out.set("host", machine.host);
  out.set("os", machine.os);
  out.set("cpu", machine.cpu);
  out.set("cores", machine.cores);
  out.set("memory_bytes", machine.memory_bytes);
  out.set("gpu", machine.gpu);
  out.set("gpu_count", machine.gpu_count);
  out.set("driver", machine.driver);
  out.set("cuda", machine.cuda);
  out.set("nccl", machine.nccl);
  out.set("detail", machine.detail);
  return out;
}

Json model_json(const ModelRecord& model) {
  Json out;
  out.set("name", model.name);
  out.set("digest", model.digest);
  out.set("tokenizer_digest", model.tokenizer_digest);
  out.set("parameters", model.parameters);
  out.set("weight_bytes", model.weight_bytes);
  out.set("detail", model.detail);
  return out;
}

Json build_json(const BuildRecord& build) {
  Json out;
  out.set("version", build.version);
  out.set("git_commit", build.git_commit);
  out.set("compiler", build.compiler);
  out.set("flags", build.flags);
  return out;
}

}  // namespace

Json sample_json(const RunTaskRecord& task, const SampleRecord& sample, bool times) {
  const GenerationRecord& g = sample.generation;
  Json line;
  line.set("task", task.name);
  line.set("protocol", task.protocol);
  line.set("id", sample.item.key);
  line.set("repeat", g.repeat);
  line.set("group", sample.item.group);
  line.set("category", sample.item.category);
  line.set("cluster", sample.item.cluster);
  line.set("target", sample.item.target);
  line.set("prompt", g.prompt.text);
  line.set("prompt_ids", ids_json(g.prompt.ids));
  line.set("response", g.text);
  line.set("ids", ids_json(g.ids));
  line.set("finish_reason", g.finish_reason);
  line.set("prompt_tokens", g.prompt_tokens);
  line.set("output_tokens", g.output_tokens);
  line.set("choices", choices_json(g.choices));
  line.set("error", g.error);
  line.set("response_key", g.response_key);
  if (sample.score) set_score(line, *sample.score, times);
  if (times) {
    line.set("attempts", g.attempts);
    line.set("cached_tokens", g.cached_tokens);
    line.set("scheduled_ns", g.scheduled_ns);
    line.set("sent_ns", g.sent_ns);
    line.set("first_ns", g.first_ns);
    line.set("last_ns", g.last_ns);
    if (!g.served.endpoint.empty()) line.set("served", served_json(g.served));
  }
  return line;
}

Json run_document(const RunRecord& run, const std::vector<RunTaskRecord>& tasks) {
  Json out;
  out.set("run", run.name);
  out.set("label", run.label);
  out.set("status", run_status_name(run.status));
  out.set("started_at", run.started_at);
  out.set("finished_at", run.finished_at);
  out.set("attempts", run.attempts);
  out.set("active_seconds", static_cast<double>(run.active_ns) / 1e9);
  out.set("suite", run.suite_name);
  out.set("suite_digest", run.suite_digest);
  out.set("model", model_json(run.model));
  out.set("setting", run.setting);
  out.set("kv", run.kv);
  out.set("device", run.device);
  out.set("arithmetic", run.arithmetic);
  out.set("engine", run.engine);
  out.set("seed", std::to_string(run.seed));
  out.set("branch", run.branch);
  out.set("revision", run.revision);
  out.set("sandbox", run.sandbox);
  out.set("language_data", run.language_data);
  out.set("energy_j", run.energy_j ? Json(*run.energy_j) : Json());
  out.set("peak_memory_bytes", run.peak_memory_bytes ? Json(*run.peak_memory_bytes) : Json());
  out.set("build", build_json(run.build));
  out.set("machine", machine_json(run.machine));
  out.set("inputs", run.inputs);
  out.set("notes", run.notes);
  Json::Array tags;
  for (const std::string& tag : run.tags) tags.emplace_back(tag);
  out.set("tags", Json(std::move(tags)));
  Json::Array list;
  for (const RunTaskRecord& task : tasks) list.push_back(task_json(task));
  out.set("tasks", Json(std::move(list)));
  return out;
}

}  // namespace assay::store
