// MATH-500: the 500 problems of MATH that Lightman et al. 2023 held out.
// Source: https://github.com/openai/prm800k
#include "evals/benchmark.h"

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/math_task.h"
#include "evals/math500/manifest.h"

namespace assay::evals {
namespace {

class Math500 : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "math500"; }
  [[nodiscard]] std::string_view title() const override { return "MATH-500: 500 problems of MATH"; }
  [[nodiscard]] const Manifest& manifest() const override { return math500_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return math_protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const std::string id = "math500/" + record.fields.at("unique_id").as_string();
    return math_sample(record, id, record.fields.at("subject").as_string(),
                       fmt::format("level {}", record.fields.at("level").as_int()),
                       record.fields.at("answer").as_string());
  }
  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    return math_prompt(sample, context);
  }
  [[nodiscard]] std::string extract(const Response& response,
                                    const ScoreContext& context) const override {
    return math_extract(response, context);
  }
  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    return math_score(sample, response, context);
  }
  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override {
    return math_gold_response(sample, context);
  }
};

}  // namespace

const Benchmark& math500_benchmark() {
  static const Math500 kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
