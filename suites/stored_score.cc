#include "suites/stored_score.h"

#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "suites/machine.h"
#include "suites/records.h"
#include "suites/translate.h"

namespace assay::suites {
namespace {

/// What stands for the setting of responses that no engine of ours made.
constexpr const char* kSetting = "responses";

store::RunRecord run_record(const ScoredFile& scored, const PlannedTask& plan,
                            const StoredScoreOptions& options) {
  store::RunRecord run;
  run.suite_name = "score";
  run.suite = plan.definition();
  run.suite_digest = sha256_hex(run.suite.dump());
  run.identity = sha256_hex(options.source_sha256 + plan.label() + run.suite_digest);
  run.inputs.set("responses", options.source_sha256);
  run.inputs.set("data", plan.data_sha256);
  run.model.name = options.model;
  run.model.digest = options.source_sha256;
  run.build = options.build;
  run.machine = to_record(this_machine());
  run.setting = kSetting;
  run.device = "none";
  run.engine.set("responses", options.source);
  run.sandbox = options.sandbox;
  run.language_data = scored.language_data;
  return run;
}

std::string response_digest(const StoredScoreOptions& options, const FileResponse& response) {
  Sha256 digest;
  digest.update_field(options.source_sha256);
  digest.update_field(response.id);
  digest.update_field(std::to_string(response.repeat));
  digest.update_field(response.response.text);
  return digest.hex();
}

store::GenerationRecord generation(const FileResponse& response, std::string prompt) {
  store::GenerationRecord out;
  out.repeat = response.repeat;
  out.prompt.text = std::move(prompt);
  out.text = response.response.text;
  out.finish_reason = response.response.truncated ? "length" : "stop";
  for (const evals::ChoiceLogprob& choice : response.response.choices) {
    out.choices.push_back(
        {.logprob = choice.logprob, .tokens = choice.tokens, .greedy = choice.greedy});
    out.finish_reason = "scored";
  }
  return out;
}

}  // namespace

std::string store_scored(store::Store& store, const ScoredFile& scored, const PlannedTask& plan,
                         const StoredScoreOptions& options) {
  std::unordered_map<std::string_view, std::size_t> positions;
  for (std::size_t i = 0; i < plan.samples.size(); ++i) positions.emplace(plan.samples[i].id, i);
  std::vector<store::SampleRecord> samples;
  for (std::size_t i = 0; i < scored.responses.size(); ++i) {
    const FileResponse& response = scored.responses[i];
    const auto found = positions.find(response.id);
    if (found == positions.end()) throw_input("{}: is not in the planned task", response.id);
    store::SampleRecord sample;
    sample.item = to_record(plan.samples[found->second]);
    sample.generation =
        generation(response, prompt_text(make_prompt(plan, found->second, response.repeat)));
    sample.generation.position = static_cast<std::int64_t>(found->second);
    sample.generation.response_key = response_digest(options, response);
    sample.score = to_record(scored.scores[i]);
    samples.push_back(std::move(sample));
  }
  const std::vector<store::RunTaskRecord> tasks = {to_record(plan)};
  const store::RunRecord run =
      store.load_run(store.create_run(run_record(scored, plan, options), tasks));
  store::RunWriter writer(store, run.row, run.machine);
  writer.add(store.load_tasks(run.row).front().row, samples);
  const bool whole = scored.unanswered == 0 && scored.aggregate.unscored == 0;
  writer.finish(whole ? store::RunStatus::kDone : store::RunStatus::kIncomplete);
  return run.name;
}

}  // namespace assay::suites
