// MATH-500: the 500 problems of MATH that Lightman et al. 2023 held out.
// Source: https://github.com/openai/prm800k
#include "evals/benchmark.h"

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/math_task.h"
#include "evals/math500/manifest.h"

namespace assay::evals {
namespace {

class Math500 : public MathBenchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "math500"; }
  [[nodiscard]] std::string_view title() const override { return "MATH-500: 500 problems of MATH"; }
  [[nodiscard]] const Manifest& manifest() const override { return math500_manifest(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const std::string id = "math500/" + record.fields.at("unique_id").as_string();
    return math_sample(record, id, record.fields.at("subject").as_string(),
                       fmt::format("level {}", record.fields.at("level").as_int()),
                       record.fields.at("answer").as_string());
  }
};

}  // namespace

const Benchmark& math500_benchmark() {
  static const Math500 kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
