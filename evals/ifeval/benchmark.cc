#include "evals/benchmark.h"

#include "base/error.h"
#include "base/text.h"
#include "evals/ifeval/instruction.h"
#include "evals/ifeval/manifest.h"

namespace assay::evals {

namespace {

constexpr std::string_view kParts[] = {"prompt_strict", "prompt_loose", "instruction_strict",
                                       "instruction_loose"};

std::vector<MetricSpec> metrics(bool mean_first) {
  const MetricSpec mean{.name = "mean_of_four",
                        .kind = MetricKind::kMeanOf,
                        .of = {std::begin(kParts), std::end(kParts)}};
  std::vector<MetricSpec> out;
  if (mean_first) out.push_back(mean);
  // Two prompts of the data ask for a character that the published checker replaces by a random
  // letter; the second set leaves them out.
  for (const std::string suffix : {"", "_without_random"}) {
    for (const std::string_view part : kParts) {
      out.push_back({.name = std::string(part) + suffix, .part = std::string(part) + suffix});
    }
  }
  if (!mean_first) out.push_back(mean);
  return out;
}

std::vector<Instruction> instructions_of(const Json& extra, std::string_view prompt,
                                         std::string_view place) {
  const Json::Array& ids = extra.at("instructions").as_array();
  const Json::Array& arguments = extra.at("kwargs").as_array();
  if (ids.empty() || ids.size() != arguments.size()) {
    throw_input("{}: {} instructions but {} sets of arguments", place, ids.size(),
                arguments.size());
  }
  std::vector<Instruction> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.push_back(parse_instruction(ids[i].as_string(), arguments[i], prompt, place));
  }
  return out;
}

class Ifeval final : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "ifeval"; }
  [[nodiscard]] std::string_view title() const override {
    return "IFEval: verifiable instructions";
  }
  [[nodiscard]] const Manifest& manifest() const override { return ifeval_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override {
    static const std::vector<Protocol> kAll = {
        {.name = "assay",
         .title = "the prompt as one user turn; mean of the four metrics",
         .sampling = {.max_tokens = 1280},
         .metrics = metrics(true)},
        {.name = "lm-eval",
         .title = "as lm-evaluation-harness",
         .sampling = {.max_tokens = 1280},
         .metrics = metrics(false)},
        {.name = "meta",
         .title = "as Meta's model cards: mean of the four metrics",
         .sampling = {.max_tokens = 1280},
         .metrics = metrics(true)}};
    return kAll;
  }
  [[nodiscard]] Sample to_sample(const Record& record) const override {
    Sample sample;
    sample.id = fmt::format("ifeval/{}", record.fields.at("key").as_int());
    sample.question = record.fields.at("prompt").as_string();
    sample.extra.set("instructions", record.fields.at("instruction_id_list"));
    sample.extra.set("kwargs", record.fields.at("kwargs"));
    bool random = false;
    for (const Instruction& in : instructions_of(sample.extra, sample.question, record.place())) {
      random = random || is_random_upstream(in);
    }
    sample.extra.set("random_upstream", random);
    return sample;
  }
  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    const bool bare = context.protocol != nullptr && context.protocol->name == "meta";
    Prompt prompt;
    prompt.form = bare ? PromptForm::kBareChat : PromptForm::kChat;
    prompt.messages = {{"user", sample.question}};
    return prompt;
  }
  /// The whole response is judged; nothing is extracted.
  [[nodiscard]] std::string extract(const Response& /*response*/,
                                    const ScoreContext& /*context*/) const override {
    return "";
  }
  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override;
};

Score Ifeval::score(const Sample& sample, const Response& response,
                    const ScoreContext& context) const {
  const std::u32string text = to_code_points(response.text);
  Json lists[2] = {Json(Json::Array{}), Json(Json::Array{})};
  double held[2] = {0, 0};
  double count = 0;
  std::string failed;
  for (const Instruction& in : instructions_of(sample.extra, sample.question, sample.id)) {
    const Followed strict = follows_strict(in, text, context.language);
    const Followed loose =
        strict != Followed::kNo ? strict : follows_loose(in, text, context.language);
    if (strict == Followed::kUnknown || loose == Followed::kUnknown) {
      return {.verdict = Verdict::kUnscored, .reason = in.id + ": the pattern is too costly"};
    }
    for (const int i : {0, 1}) {
      const bool yes = (i == 0 ? strict : loose) == Followed::kYes;
      lists[i].push_back(yes);
      held[i] += yes ? 1 : 0;
    }
    count += 1;
    if (strict != Followed::kYes) failed += (failed.empty() ? "" : ", ") + in.id;
  }
  Score score{
      .verdict = failed.empty() ? Verdict::kCorrect : Verdict::kIncorrect,
      .value = failed.empty() ? 1.0 : 0.0,
      .reason = failed.empty() ? "every instruction is followed" : "not followed: " + failed};
  score.detail.set("strict", lists[0]);
  score.detail.set("loose", lists[1]);
  score.detail.set("vote", "followed " + lists[0].dump());  // there is no answer to vote on
  const Json* random = sample.extra.find("random_upstream");
  const bool also = random == nullptr || !random->as_bool();
  for (const std::string suffix : {"", "_without_random"}) {
    if (!suffix.empty() && !also) break;
    for (const int i : {0, 1}) {
      score.parts.push_back({std::string(kParts[i]) + suffix, held[i] == count ? 1.0 : 0.0, 1});
      score.parts.push_back({std::string(kParts[2 + i]) + suffix, held[i], count});
    }
  }
  return score;
}

}  // namespace

const Benchmark& ifeval_benchmark() {
  static const Ifeval kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
