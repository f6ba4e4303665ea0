// Sums: a benchmark of one file, the example of docs/adding-a-benchmark.md.
#include "evals/benchmark.h"

#include "base/error.h"
#include "evals/extract/number_answer.h"

namespace assay::evals {
namespace {

const Manifest kManifest = {
    .name = "sums",
    .title = "Sums of two numbers",
    .licence = "Apache-2.0",
    .files = {{.path = "sums/test.jsonl", .split = "test", .required = {"question", "answer"}}}};

const std::vector<Protocol> kProtocols = {
    {.name = "assay",
     .title = "one turn, the last number counts",
     .sampling = {.max_tokens = 64},
     .metrics = {{.name = "accuracy", .kind = MetricKind::kMean, .part = "accuracy"}}}};

class Sums : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "sums"; }
  [[nodiscard]] std::string_view title() const override { return kManifest.title; }
  [[nodiscard]] const Manifest& manifest() const override { return kManifest; }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return kProtocols; }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    Sample sample;
    sample.id = fmt::format("sums/{}/{}", record.split, record.row);
    sample.question = record.fields.at("question").as_string();
    sample.target = record.fields.at("answer").as_string();
    if (!whole_number_text(sample.target)) throw_input("{}: no number", record.place());
    return sample;
  }

  [[nodiscard]] Prompt to_prompt(const Sample& sample, const PromptContext&) const override {
    Prompt prompt{.form = PromptForm::kBareChat};
    prompt.messages = {{"user", sample.question + "\nAnswer with a number."}};
    return prompt;
  }

  [[nodiscard]] std::string extract(const Response& response, const ScoreContext&) const override {
    return last_number(response.text).value_or("");
  }

  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    Score score;
    score.answer = extract(response, context);
    const bool right = !score.answer.empty() && whole_number_text(sample.target) == score.answer;
    score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
    score.value = right ? 1 : 0;
    score.reason = right ? "equal to the target" : "not the target";
    score.parts = {{.metric = "accuracy", .value = score.value}};
    return score;
  }
};

}  // namespace

const Benchmark& sums_benchmark() {
  static const Sums kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
