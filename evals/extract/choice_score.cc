#include "evals/extract/choice_score.h"

#include <cmath>

namespace assay::evals {

std::string choice_letter(std::size_t index) {
  return std::string(1, static_cast<char>('A' + static_cast<int>(index)));
}

LikelihoodChoice most_likely_choice(const std::vector<ChoiceLogprob>& choices) {
  LikelihoodChoice best;
  for (std::size_t i = 1; i < choices.size(); ++i) {
    const double logprob = choices[i].logprob;
    const double highest = choices[best.index].logprob;
    if (logprob > highest || (std::isnan(highest) && !std::isnan(logprob))) {
      best = {.index = i, .tied = 1};
    } else if (logprob == highest) {
      ++best.tied;
    }
  }
  return best;
}

Score choice_score(bool right, std::string answer, const Response& response) {
  Score score;
  score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
  score.value = right ? 1 : 0;
  if (right) {
    score.reason = "equal to the target";
  } else if (!answer.empty()) {
    score.reason = "not the target";
  } else {
    score.reason = response.truncated ? "no answer: cut by the length limit" : "no answer found";
  }
  score.answer = std::move(answer);
  score.parts = {{.metric = "accuracy", .value = score.value, .count = 1}};
  return score;
}

Score likelihood_score(const Response& response, std::string_view target) {
  const LikelihoodChoice best = most_likely_choice(response.choices);
  const std::string letter = choice_letter(best.index);
  Score score = choice_score(letter == target, letter, response);
  score.reason = letter == target ? "the target is the most likely" : "another is more likely";
  score.detail.set("ties", best.tied - 1);
  return score;
}

Response likelihood_gold(std::string_view target, std::size_t choices) {
  Response response;
  for (std::size_t i = 0; i < choices; ++i) {
    const bool gold = choice_letter(i) == target;
    response.choices.push_back({.logprob = gold ? -0.1 : -3.0, .tokens = 1, .greedy = gold});
  }
  return response;
}

}  // namespace assay::evals
