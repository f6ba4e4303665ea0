// Every benchmark on all of its data, under every protocol: the gold answer scores correct, the
// gold answer of the next sample what chance gives.
#include <gtest/gtest.h>

#include "datasets/load.h"
#include "evals/aggregate.h"
#include "evals/benchmark.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

struct Task {
  const char* benchmark;
  std::size_t samples;
  double chance_high;  // no shifted copy scores more than this
};

void PrintTo(const Task& task, std::ostream* out) { *out << task.benchmark; }

class GoldAnswers : public ::testing::TestWithParam<Task> {};

TEST_P(GoldAnswers, ScoreFullMarksAndShiftedOnesChance) {
  ASSAY_SHARED_OR_SKIP(data, "datasets");
  const Benchmark& benchmark = find_benchmark(GetParam().benchmark);
  std::vector<Sample> samples;
  const std::string split = benchmark.protocols().front().split;
  for (const Record& record : datasets::load_split(benchmark.manifest(), split, data).records) {
    for (Sample& sample : benchmark.to_samples(record)) samples.push_back(std::move(sample));
  }
  ASSERT_EQ(samples.size(), GetParam().samples);
  for (const Protocol& protocol : benchmark.protocols()) {
    const ScoreContext context{.protocol = &protocol};
    std::size_t right = 0;
    std::size_t shifted_right = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const Response gold = benchmark.gold_response(samples[i], context);
      const Response shifted = benchmark.gold_response(samples[(i + 1) % samples.size()], context);
      const Score score = benchmark.score(samples[i], gold, context);
      EXPECT_EQ(score.verdict, Verdict::kCorrect)
          << samples[i].id << "@" << protocol.name << ": " << score.answer;
      right += score.verdict == Verdict::kCorrect ? 1U : 0U;
      const Score other = benchmark.score(samples[i], shifted, context);
      shifted_right += other.verdict == Verdict::kCorrect ? 1U : 0U;
      if (other.verdict == Verdict::kCorrect) continue;
      EXPECT_EQ(other.value, 0);
    }
    EXPECT_EQ(right, samples.size()) << protocol.name;
    EXPECT_LE(static_cast<double>(shifted_right) / static_cast<double>(samples.size()),
              GetParam().chance_high)
        << protocol.name;
  }
}

TEST_P(GoldAnswers, ScoringIsTotal) {
  const Benchmark& benchmark = find_benchmark(GetParam().benchmark);
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "\n\n",
                                          "I cannot help with that.",
                                          std::string(1000, '('),
                                          "####",
                                          "answer is",
                                          "\xff\xfe",
                                          "The best answer is",
                                          "Answer:",
                                          "-",
                                          "$",
                                          ".,.,",
                                          "٣"};
  for (const Protocol& protocol : benchmark.protocols()) {
    for (const std::string& text : texts) {
      const Response response{.text = text, .choices = {}, .truncated = true};
      EXPECT_NO_THROW((void)benchmark.extract(response, {.protocol = &protocol})) << protocol.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldAnswers,
                         ::testing::Values(Task{"gsm8k", 1319, 0.05}, Task{"mmlu", 14042, 0.27},
                                           Task{"mgsm", 2750, 0.05}, Task{"gpqa", 198, 0.36},
                                           Task{"math", 5000, 0.05}, Task{"math500", 500, 0.05}));

}  // namespace
}  // namespace assay::evals
