// MATH: competition problems with an exact answer.
// Source: Hendrycks et al. 2021, https://github.com/hendrycks/math
#include "evals/benchmark.h"

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/math_task.h"
#include "evals/math/manifest.h"

namespace assay::evals {
namespace {

class Math : public MathBenchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "math"; }
  [[nodiscard]] std::string_view title() const override {
    return "MATH: competition problems in seven subjects and five levels";
  }
  [[nodiscard]] const Manifest& manifest() const override { return math_manifest(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const std::string id = fmt::format("math/{}/{}", record.split, record.row);
    return math_sample(record, id, record.fields.at("type").as_string(),
                       to_lower_ascii(record.fields.at("level").as_string()), "");
  }
};

}  // namespace

const Benchmark& math_benchmark() {
  static const Math kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
