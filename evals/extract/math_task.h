// What MATH and MATH-500 share: protocols, prompts, extraction and scoring. EVAL_PROTOCOLS names
// the protocols; the wording of meta, minerva and simple-evals comes from a prompt file.
#pragma once

#include <span>
#include <string>

#include "evals/benchmark.h"

namespace assay::evals {

std::span<const Protocol> math_protocols();
/// Throws: Error(kInput) when the protocol's wording is missing.
Prompt math_prompt(const Sample& sample, const PromptContext& context);
std::string math_extract(const Response& response, const ScoreContext& context);
Score math_score(const Sample& sample, const Response& response, const ScoreContext& context);
Response math_gold_response(const Sample& sample, const ScoreContext& context);
/// Problem, gold answer, subject (group) and level (category, "level 1" .. "level 5") of a row.
/// `target` "" takes the last box of the solution. Throws: Error(kInput) with file and line.
Sample math_sample(const Record& record, std::string id, std::string subject, std::string level,
                   std::string target);

}  // namespace assay::evals
