// MMLU: categories, likelihood ties, gold answers, chance.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "datasets/load.h"
#include "evals/aggregate.h"
#include "evals/benchmark.h"
#include "evals/extract/choice_score.h"
#include "evals/mmlu/subjects.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

TEST(Mmlu, CategoriesHaveTheirPublishedSizes) {
  std::set<std::string> subjects;
  for (const datasets::DataFile& file : find_benchmark("mmlu").manifest().files) {
    subjects.insert(file.group);
  }
  std::map<std::string_view, int> original;
  std::map<std::string_view, int> lm_eval;
  for (const std::string& subject : subjects) {
    ++original[mmlu::category_of(subject)];
    ++lm_eval[mmlu::lm_eval_category_of(subject)];
  }
  using Sizes = std::map<std::string_view, int>;
  EXPECT_EQ(original,
            (Sizes{{"stem", 18}, {"humanities", 13}, {"social_sciences", 12}, {"other", 14}}));
  EXPECT_EQ(lm_eval,
            (Sizes{{"stem", 19}, {"humanities", 13}, {"social_sciences", 12}, {"other", 13}}));
}

TEST(Mmlu, OfEqualLikelihoodsTheFirstLetterWinsAndTiesAreCounted) {
  const Response response{
      .text = "", .choices = {{.logprob = -2}, {.logprob = -1}, {.logprob = -1}, {.logprob = -3}}};
  const Score score = likelihood_score(response, "B");
  EXPECT_EQ(score.verdict, Verdict::kCorrect);
  EXPECT_EQ(score.detail.at("ties").as_int(), 1);
  EXPECT_EQ(likelihood_score(response, "C").verdict, Verdict::kIncorrect);
}

TEST(Mmlu, MacroWeighsSubjectsAndMicroQuestions) {
  const Benchmark& benchmark = find_benchmark("mmlu");
  const Protocol& protocol = find_protocol(benchmark, "");
  std::vector<Observation> observations;
  const auto add = [&](const std::string& subject, int row, bool right) {
    Sample sample{
        .id = subject + std::to_string(row), .group = subject, .choices = {}, .target = "A"};
    sample.category = mmlu::category_of(subject);
    const Response response = likelihood_gold(right ? "A" : "B", 4);
    observations.push_back(
        observe(benchmark, protocol, sample, 0, benchmark.score(sample, response, {})));
  };
  add("anatomy", 0, true);
  for (int row = 0; row < 3; ++row) add("astronomy", row, row == 0);
  const Aggregate result = aggregate(protocol.metrics, observations);
  EXPECT_DOUBLE_EQ(result.find("accuracy")->value, 0.5);
  EXPECT_DOUBLE_EQ(result.find("macro_accuracy")->value, (1.0 + 1.0 / 3) / 2);
  ASSERT_EQ(result.groups.size(), 4U);
  EXPECT_EQ(result.groups[2].first, "other");
  EXPECT_DOUBLE_EQ(result.groups[2].second.front().value, 1);
}

}  // namespace
}  // namespace assay::evals
