// MATH: competition problems with an exact answer.
// Source: Hendrycks et al. 2021, https://github.com/hendrycks/math
#include "evals/benchmark.h"

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/math_task.h"
#include "evals/math/manifest.h"

namespace assay::evals {
namespace {

class Math : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "math"; }
  [[nodiscard]] std::string_view title() const override {
    return "MATH: competition problems in seven subjects and five levels";
  }
  [[nodiscard]] const Manifest& manifest() const override { return math_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return math_protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const std::string id = fmt::format("math/{}/{}", record.split, record.row);
    return math_sample(record, id, record.fields.at("type").as_string(),
                       to_lower_ascii(record.fields.at("level").as_string()), "");
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

const Benchmark& math_benchmark() {
  static const Math kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
