// What MATH and MATH-500 share: protocols, prompts, extraction and scoring. EVAL_PROTOCOLS names
// the protocols; wording of others comes from a prompt file (docs/math.md).
#pragma once

#include <span>
#include <string>

#include "evals/benchmark.h"

namespace assay::evals {

/// All but the data set: a benchmark adds its name, its manifest and how a row becomes a sample.
class MathBenchmark : public Benchmark {
 public:
  [[nodiscard]] std::span<const Protocol> protocols() const override;
  [[nodiscard]] Prompt to_prompt(const Sample& sample, const PromptContext& context) const override;
  [[nodiscard]] std::string extract(const Response& response,
                                    const ScoreContext& context) const override;
  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override;
  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override;
};

/// Problem, gold answer, subject (group) and level (category, "level 1" .. "level 5") of a row.
/// `target` "" takes the last box of the solution. Throws: Error(kInput) with file and line.
Sample math_sample(const Record& record, std::string id, std::string subject, std::string level,
                   std::string target);

}  // namespace assay::evals
