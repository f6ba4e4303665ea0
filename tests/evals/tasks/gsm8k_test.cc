// GSM8K: the reference extractions, published verdicts, and gold answers against themselves.
#include <gtest/gtest.h>

#include <map>

#include "datasets/load.h"
#include "evals/benchmark.h"
#include "evals/extract/number_answer.h"
#include "evals/gsm8k/protocols.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

using test::read_jsonl;

struct Rule {
  std::string (*extract)(std::string_view);
  bool (*match)(std::string_view, std::string_view);
};

bool equal_to(std::string_view answer, std::string_view gold) { return answer == gold; }

const std::map<std::string, Rule>& reference_rules() {
  static const std::map<std::string, Rule> kRules = {
      {"gsm8k/strict-match", {gsm8k_lm_eval_strict, gsm8k_lm_eval_match}},
      {"gsm8k/flexible-extract", {gsm8k_lm_eval_flexible, gsm8k_lm_eval_match}},
      {"gsm8k-cot/strict-match", {gsm8k_cot_strict, gsm8k_lm_eval_match}},
      {"gsm8k-cot/flexible-extract", {gsm8k_lm_eval_flexible, gsm8k_lm_eval_match}},
      {"gsm8k-cot-zeroshot/strict-match", {gsm8k_cot_strict, gsm8k_lm_eval_match}},
      {"gsm8k-cot-zeroshot/flexible-extract", {gsm8k_lm_eval_flexible, gsm8k_lm_eval_match}},
      {"gsm8k-cot-llama/strict-match", {gsm8k_cot_llama_strict, gsm8k_lm_eval_match}},
      {"gsm8k-cot-llama/flexible-extract", {gsm8k_lm_eval_flexible, gsm8k_lm_eval_match}},
      {"gsm8k_llama/strict_match", {gsm8k_meta_strict, gsm8k_lm_eval_match}},
      {"gsm8k_llama/flexible_extract", {gsm8k_lm_eval_flexible, gsm8k_lm_eval_match}},
      {"grade-school-math", {gsm8k_original, equal_to}},
      {"helm_final_number", {gsm8k_helm, equal_to}},
      {"opencompass", {gsm8k_opencompass, gsm8k_opencompass_match}},
  };
  return kRules;
}

TEST(Gsm8kVectors, EveryReferenceExtractsAndJudgesAlike) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/gsm8k.jsonl");
  int compared = 0;
  for (const Json& row : read_jsonl(path)) {
    if (row.find("response") == nullptr) continue;
    const std::string& response = row.at("response").as_string();
    const std::string& gold = row.at("gold").as_string();
    for (const auto& [name, expected] : row.at("extract").as_object()) {
      const Rule& rule = reference_rules().at(name);
      const std::string answer = rule.extract(response);
      EXPECT_EQ(answer, expected.as_string()) << name << " on " << response;
      EXPECT_EQ(rule.match(answer, gold), row.at("match").at(name).as_bool())
          << name << " on " << response;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 30 * 13);
}

TEST(NumberAnswer, ReadsSignsThousandsAndDecimals) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"18.0", "18"},
                                                                  {"1,234,567 people", "1234567"},
                                                                  {"-$3.50", "-3.5"},
                                                                  {"range 5-10", "10"},
                                                                  {"1,2", "2"},
                                                                  {"007", "7"},
                                                                  {".5", "0.5"},
                                                                  {"-0", "0"},
                                                                  {"x = \xE2\x88\x92"
                                                                   "4",
                                                                   "-4"},
                                                                  {"is 3.", "3"},
                                                                  {"12,3456", "3456"},
                                                                  {"$40. Yes", "40"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(last_number(text), expected) << text;
  EXPECT_EQ(last_number("none"), std::nullopt);
  EXPECT_EQ(first_number("3 of 4"), "3");
  EXPECT_EQ(whole_number_text(" $1,000. "), "1000");
  EXPECT_EQ(whole_number_text("10 apples"), std::nullopt);
}

TEST(NumberAnswer, CotPatternNeedsOneMoreCharacter) {
  EXPECT_EQ(gsm8k_cot_strict("The answer is 18"), "1");
  EXPECT_EQ(gsm8k_cot_strict("The answer is 18\n"), "1");
  EXPECT_EQ(gsm8k_cot_strict("The answer is 8"), kInvalidAnswer);
  EXPECT_EQ(gsm8k_cot_strict("The answer is -8"), kInvalidAnswer);
  EXPECT_EQ(gsm8k_cot_strict("The answer is x. The answer is 7."), "7");
}

TEST(Gsm8kOwnRule, PrefersTheCueAndFallsBackToTheLastNumber) {
  EXPECT_EQ(gsm8k::own_answer("The final answer is $1,200. Paid in 3 rates."), "1200");
  EXPECT_EQ(gsm8k::own_answer("2 + 2 = 4\n#### 4\n(page 7)"), "4");
  EXPECT_EQ(gsm8k::own_answer("so it is 9"), "9");
  EXPECT_EQ(gsm8k::own_answer("no idea"), "");
}

std::vector<Sample> load(const std::filesystem::path& data, const std::string& split) {
  std::vector<Sample> samples;
  const Benchmark& benchmark = find_benchmark("gsm8k");
  for (const Record& record : datasets::load_split(benchmark.manifest(), split, data).records) {
    samples.push_back(benchmark.to_sample(record));
  }
  return samples;
}

TEST(Gsm8k, PublishedVerdictsOfFourModelsAgree) {
  ASSAY_SHARED_OR_SKIP(data, "datasets");
  ASSAY_SHARED_OR_SKIP(labelled, "labelled/gsm8k/example_model_solutions.jsonl.gz");
  const std::vector<Sample> samples = load(data, "test");
  std::map<std::string, const Sample*> by_question;
  for (const Sample& sample : samples) by_question[sample.question] = &sample;
  int agreed = 0;
  for (const Json& row : read_jsonl(labelled)) {
    const Sample& sample = *by_question.at(row.at("question").as_string());
    for (const char* model :
         {"6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"}) {
      const Json& answer = row.at(model);
      const Score score = find_benchmark("gsm8k").score(
          sample, {.text = answer.at("solution").as_string(), .choices = {}},
          {.answer_after = "A:"});
      const bool correct = score.verdict == Verdict::kCorrect;
      EXPECT_EQ(correct, answer.at("is_correct").as_bool())
          << sample.id << " " << model << ": " << score.answer << " against " << sample.target;
      agreed += correct == answer.at("is_correct").as_bool() ? 1 : 0;
    }
  }
  EXPECT_EQ(agreed, 5276);
}

}  // namespace
}  // namespace assay::evals
