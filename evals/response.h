// What came back from a model for one prompt.
#pragma once

#include <string>
#include <vector>

namespace assay::evals {

struct ChoiceLogprob {
  double logprob = 0;   // natural log of the probability of the whole continuation
  int tokens = 0;       // of the continuation
  bool greedy = false;  // every token of it was the most likely one
};

struct Response {
  std::string text;  // generated text, stop strings cut
  std::vector<ChoiceLogprob>
      choices;             // for likelihood prompts, in the order of Prompt::continuations
  bool truncated = false;  // ended by the length limit
};

}  // namespace assay::evals
