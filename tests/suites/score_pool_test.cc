#include "suites/score_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace assay::suites {
namespace {

TEST(ScorePool, EveryJobIsScoredOnce) {
  ScorePool pool(3);
  for (int i = 0; i < 200; ++i) {
    pool.submit({.generation = i, .score = [i] {
                   return evals::Score{.verdict = evals::Verdict::kCorrect,
                                       .value = static_cast<double>(i)};
                 }});
  }
  std::set<std::int64_t> seen;
  for (const ScoreResult& result : pool.collect_all()) {
    EXPECT_EQ(result.score.value, static_cast<double>(result.generation));
    seen.insert(result.generation);
  }
  EXPECT_EQ(seen.size(), 200U);
  EXPECT_TRUE(pool.collect_all().empty());
}

TEST(ScorePool, AThrowingScorerIsUnscoredWithItsReason) {
  ScorePool pool(1);
  pool.submit({.generation = 1, .score = []() -> evals::Score { throw std::runtime_error("x"); }});
  const auto results = pool.collect_all();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].score.verdict, evals::Verdict::kUnscored);
  EXPECT_EQ(results[0].score.reason, "the scorer failed: x");
}

}  // namespace
}  // namespace assay::suites
