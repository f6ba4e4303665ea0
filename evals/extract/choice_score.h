// What MMLU and GPQA share: letters, likelihood choices, and the score of either.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "evals/response.h"
#include "evals/score.h"

namespace assay::evals {

/// 'A' + index. REQUIRES: index < 26.
std::string choice_letter(std::size_t index);

struct LikelihoodChoice {
  std::size_t index = 0;  // highest log-probability; of equal ones the lowest index
  std::size_t tied = 1;   // choices with that log-probability
};
/// REQUIRES: `choices` is not empty.
LikelihoodChoice most_likely_choice(const std::vector<ChoiceLogprob>& choices);

/// Score with one part "accuracy" (and `extra_parts`), detail {"ties"} for likelihood choices.
Score choice_score(bool right, std::string answer, const Response& response);

/// Score by likelihood against the letter `target`.
Score likelihood_score(const Response& response, std::string_view target);

/// A likelihood response in which the choice `target` is the most likely.
Response likelihood_gold(std::string_view target, std::size_t choices);

}  // namespace assay::evals
