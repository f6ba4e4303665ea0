// One question of a benchmark: what a prompt is made of and what a response is scored against.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace assay::datasets {

struct Sample {
  std::string id;     // fixed form, docs/outputs.md: "gsm8k/test/0", "HumanEval/0", "ifeval/1000"
  std::string group;  // subject, language, level ...; "" where there are no groups
  std::string category;  // group of groups (MMLU: "stem", ...); "" where there are none
  std::string
      cluster;  // items that share a source have one cluster (MGSM: the problem); "" means id
  std::string question;
  std::vector<std::string> choices;  // in the order shown, for multiple choice
  std::string target;                // gold answer; the letter for multiple choice
  Json extra;  // what else the benchmark needs (tests, instructions, solution)

  friend bool operator==(const Sample&, const Sample&) = default;
};

}  // namespace assay::datasets
