// Letters of multiple-choice answers: the reference extractions, and our own rule.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "evals/extract/choice_letter.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

using Extract = std::function<std::string(const std::string&, const std::vector<std::string>&)>;

Extract plain(std::string (*rule)(std::string_view)) {
  return [rule](const std::string& response, const std::vector<std::string>&) {
    return rule(response);
  };
}

TEST(ChoiceVectors, EveryReferenceExtractsAlike) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/multiple_choice.jsonl");
  const std::map<std::string, Extract> rules = {
      {"lm_eval_mmlu_cot_llama", plain(choice_meta_cot)},
      {"meta_recipe_gpqa_cot", plain(choice_meta_cot)},
      {"meta_recipe_mmlu_5shot", plain(choice_meta_short)},
      {"lm_eval_gpqa_strict", plain(choice_lm_eval_gpqa_strict)},
      {"lm_eval_gpqa_flexible",
       [](const std::string& response, const std::vector<std::string>& choices) {
         return choice_lm_eval_gpqa_flexible(response, choices);
       }},
      {"lm_eval_mmlu_flan_cot_strict", plain(choice_lm_eval_flan_strict)},
      {"simple_evals_gpqa", plain(choice_simple_evals_gpqa)},
      {"simple_evals_mmlu", plain(choice_simple_evals_mmlu)},
      {"helm_gpqa_cot", plain(choice_helm)},
      {"opencompass_gpqa_simple", plain(choice_opencompass)},
  };
  int compared = 0;
  for (const Json& row : test::read_jsonl(path)) {
    if (row.find("response") == nullptr) continue;
    std::vector<std::string> choices;
    for (const Json& choice : row.at("choices").as_array()) choices.push_back(choice.as_string());
    for (const auto& [name, expected] : row.at("extract").as_object()) {
      const std::string& response = row.at("response").as_string();
      EXPECT_EQ(rules.at(name)(response, choices), expected.is_null() ? "" : expected.as_string())
          << name << " on " << response;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 200);
}

TEST(ChoiceLetter, SimpleEvalsReadsManyLanguages) {
  EXPECT_EQ(choice_simple_evals_mmlu("ANTWORT : b"), "b");
  EXPECT_EQ(choice_simple_evals_mmlu("答案：Ｃ"), "C");
  EXPECT_EQ(choice_simple_evals_mmlu("الإجابة: د"), "D");
  EXPECT_EQ(choice_simple_evals_mmlu("উত্তর: ঢ"), "D");
  EXPECT_EQ(choice_simple_evals_mmlu("réponse: $\\boxed{A}$"), "A");
  EXPECT_EQ(choice_simple_evals_mmlu("Answer: E"), "");
}

TEST(ChoiceLetter, FlexibleRuleTakesTheLastChoiceText) {
  const std::vector<std::string> choices = {"Red fox", "grey wolf", "Bear", "owl"};
  EXPECT_EQ(choice_lm_eval_gpqa_flexible("not a bear, a GREY-WOLF? no: grey wolf!", choices),
            "(B)");
  EXPECT_EQ(choice_lm_eval_gpqa_flexible("nothing", choices), "[invalid]");
}

TEST(ChoiceLetter, OwnRuleReadsEveryUsualForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"B", "B"},
      {"(C)", "C"},
      {" D. ", "D"},
      {"The best answer is A.", "A"},
      {"**Answer: C**", "C"},
      {"The answer is (D) because A is wrong", "D"},
      {"answer is \\boxed{\\text{B}}", "B"},
      {"B) Paris", "B"},
      {"A cat sat", ""},
      {"I don't know", ""},
      {"", ""},
      {"Bees", ""}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(choice_own(text), expected) << text;
}

}  // namespace
}  // namespace assay::evals
