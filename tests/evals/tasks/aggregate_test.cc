// Metrics from scores, against the reference's pass@k and by hand; intervals; worked examples.
#include "evals/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "evals/interval.h"
#include "evals/shots.h"
#include "evals/templates.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

Observation observed(const std::string& item, std::int64_t repeat, bool right,
                     const std::string& answer = "", const std::string& cluster = "") {
  Observation out{.item = item, .cluster = cluster, .repeat = repeat};
  out.score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
  out.score.answer = answer;
  out.score.parts = {{.metric = "accuracy", .value = right ? 1.0 : 0.0}};
  return out;
}

const std::vector<MetricSpec> kAccuracy = {{.name = "accuracy", .part = "accuracy", .of = {}}};

TEST(Aggregate, PassAtKEqualsTheReference) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/statistics.jsonl");
  int compared = 0;
  for (const Json& row : test::read_jsonl(path)) {
    const Json* kind = row.find("kind");
    if (kind == nullptr || kind->as_string() != "pass_at_k") continue;
    ++compared;
    EXPECT_NEAR(pass_at_k(row.at("n").as_int(), row.at("c").as_int(), row.at("k").as_int()),
                row.at("value").as_double(), 1e-12);
  }
  EXPECT_GT(compared, 0);
}

TEST(Aggregate, UnscoredResponsesAreCountedAndLeftOutOfTheMean) {
  std::vector<Observation> all = {observed("a", 0, true), observed("b", 0, false)};
  all.push_back({.item = "c"});
  all.back().score = {.verdict = Verdict::kUnscored};
  const Aggregate result = aggregate(kAccuracy, all);
  EXPECT_EQ(result.items, 3);
  EXPECT_EQ(result.unscored, 1);
  EXPECT_DOUBLE_EQ(result.find("accuracy")->value, 0.5);
  EXPECT_DOUBLE_EQ(result.find("accuracy")->of, 2);
}

// The headline stands first, also where it is made of metrics that follow it.
TEST(Aggregate, MeanOfMetricsMayStandBeforeThem) {
  const MetricSpec mean{
      .name = "mean", .kind = MetricKind::kMeanOf, .of = {"accuracy", "other accuracy"}};
  const std::vector<MetricSpec> specs = {
      mean, kAccuracy[0], {.name = "other accuracy", .part = "accuracy", .of = {}}};
  const Aggregate result =
      aggregate(specs, std::vector<Observation>{observed("a", 0, true), observed("b", 0, false)});
  ASSERT_EQ(result.metrics.size(), 3U);
  EXPECT_EQ(result.metrics[0].name, "mean");
  EXPECT_DOUBLE_EQ(result.metrics[0].value, 0.5);
  EXPECT_TRUE(aggregate(std::vector<MetricSpec>{mean, kAccuracy[0]},
                        std::vector<Observation>{observed("a", 0, true)})
                  .find("mean") == nullptr);
}

TEST(Aggregate, RepeatsAreAveragedPerItemAndNeverOutweighItems) {
  const std::vector<Observation> all = {observed("a", 0, true), observed("a", 1, true),
                                        observed("a", 2, true), observed("b", 0, false)};
  EXPECT_DOUBLE_EQ(aggregate(kAccuracy, all).find("accuracy")->value, 0.5);
}

TEST(Aggregate, PassAndMajorityNeedAllRepeatsOfEveryItem) {
  const std::vector<MetricSpec> specs = with_repeat_metrics(kAccuracy, 3);
  const std::vector<Observation> full = {observed("a", 0, false, "1"), observed("a", 1, true, "2"),
                                         observed("a", 2, true, "2")};
  const Aggregate result = aggregate(specs, full);
  EXPECT_DOUBLE_EQ(result.find("maj@3")->value, 1);
  EXPECT_DOUBLE_EQ(result.find("pass@3")->value, 1);
  EXPECT_NEAR(result.find("pass@1")->value, 2.0 / 3, 1e-12);
  std::vector<Observation> partial = full;
  partial.push_back(observed("b", 0, true));
  EXPECT_EQ(aggregate(specs, partial).find("maj@3"), nullptr);
}

// Answers of which the scorer says that they are one, count as one; no answer has no vote.
TEST(Aggregate, MajorityCountsVotesNotWritings) {
  const std::vector<MetricSpec> specs = with_repeat_metrics(kAccuracy, 5);
  std::vector<Observation> all = {observed("a", 0, false, "3"), observed("a", 1, true, "0.5"),
                                  observed("a", 2, false, "3"), observed("a", 3, true, "1/2"),
                                  observed("a", 4, true, "2/4")};
  EXPECT_DOUBLE_EQ(aggregate(specs, all).find("maj@5")->value, 0);
  for (Observation& one : all) {
    if (one.score.verdict == Verdict::kCorrect) one.score.detail.set("vote", "1/2");
  }
  EXPECT_DOUBLE_EQ(aggregate(specs, all).find("maj@5")->value, 1);
  EXPECT_DOUBLE_EQ(aggregate(specs, all).find("avg@5")->value, 0.6);
  const std::vector<Observation> silent = {observed("a", 0, false), observed("a", 1, false),
                                           observed("a", 2, false), observed("a", 3, true, "7"),
                                           observed("a", 4, false)};
  EXPECT_DOUBLE_EQ(aggregate(specs, silent).find("maj@5")->value, 1);
}

TEST(Aggregate, EveryBenchmarkHasMetricsOverRepeats) {
  for (const Benchmark* benchmark : all_benchmarks()) {
    for (const Protocol& protocol : benchmark->protocols()) {
      const auto specs = with_repeat_metrics(protocol.metrics, 4);
      for (const char* name : {"pass@1", "pass@2", "pass@4", "maj@4", "avg@4"}) {
        EXPECT_NE(std::ranges::find(specs, name, &MetricSpec::name), specs.end())
            << benchmark->name() << '@' << protocol.name << ' ' << name;
      }
    }
  }
}

TEST(Votes, AreByEquivalence) {
  const auto votes = [](const char* benchmark, const Sample& sample,
                        const std::vector<const char*>& texts) {
    std::set<std::string> out;
    for (const char* text : texts) {
      Response response;
      response.text = text;
      out.insert(vote_of(find_benchmark(benchmark).score(sample, response, {})));
    }
    return out;
  };
  const Sample half{.choices = {}, .target = "\\frac{1}{2}"};
  EXPECT_EQ(votes("math", half, {"\\boxed{0.5}", "\\boxed{\\frac12}", "\\boxed{x=1/2}"}),
            (std::set<std::string>{"\\frac{1}{2}"}));
  EXPECT_EQ(votes("math", half, {"\\boxed{0.25}", "\\boxed{\\frac14}", "\\boxed{2/8}"}).size(), 1U);
  EXPECT_EQ(votes("math", half, {"\\boxed{0.25}", "\\boxed{\\frac13}"}).size(), 2U);
  const Sample eighteen{.choices = {}, .target = "18"};
  EXPECT_EQ(
      votes("gsm8k", eighteen, {"The final answer is 18.0", "The final answer is $18."}).size(),
      1U);
}

// Each repeat shows the answers in its own order: the vote is for the answer.
TEST(Votes, OfGpqaFollowTheAnswerNotItsLetter) {
  Sample sample{.choices = {"right", "w1", "w2", "w3"}};
  sample.extra.set("row", 0);
  sample.extra.set("rows", 198);
  sample.extra.set("split", "diamond");
  const Benchmark& gpqa = find_benchmark("gpqa");
  std::set<std::string> letters;
  std::set<std::string> votes;
  for (std::int64_t repeat = 0; repeat < 8; ++repeat) {
    const ScoreContext context{
        .protocol = nullptr, .answer_after = "", .repeat = repeat, .sample_id = ""};
    const Score score = gpqa.score(sample, gpqa.gold_response(sample, context), context);
    ASSERT_EQ(score.verdict, Verdict::kCorrect);
    letters.insert(score.answer);
    votes.insert(vote_of(score));
  }
  EXPECT_GT(letters.size(), 1U);
  EXPECT_EQ(votes, (std::set<std::string>{"answer 0"}));
}

TEST(Interval, WilsonEqualsTheReference) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/statistics.jsonl");
  int compared = 0;
  for (const Json& row : test::read_jsonl(path)) {
    const Json* wilson = row.find("wilson");
    if (wilson == nullptr) continue;
    std::vector<Observation> all;
    for (std::int64_t i = 0; i < row.at("n").as_int(); ++i) {
      all.push_back(observed("i" + std::to_string(i), 0, i < row.at("k").as_int()));
    }
    const auto interval = interval95(aggregate(kAccuracy, all).metrics.front());
    ASSERT_TRUE(interval.has_value());
    EXPECT_NEAR(interval->low, wilson->as_array()[0].as_double(), 1e-12);
    EXPECT_NEAR(interval->high, wilson->as_array()[1].as_double(), 1e-12);
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST(Interval, IsWilsonForSharesAndWiderForClusters) {
  std::vector<Observation> plain;
  std::vector<Observation> clustered;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "i" + std::to_string(i);
    plain.push_back(observed(name, 0, i < 20));
    clustered.push_back(observed(name, 0, i < 20, "", "c" + std::to_string(i / 10)));
  }
  const auto a = interval95(aggregate(kAccuracy, plain).metrics.front());
  const auto b = interval95(aggregate(kAccuracy, clustered).metrics.front());
  ASSERT_TRUE(a && b);
  EXPECT_NEAR(a->low, 0.3520, 1e-4);  // Wilson's interval of 20 of 40
  EXPECT_NEAR(a->high, 0.6480, 1e-4);
  EXPECT_GT(b->high - b->low, a->high - a->low);
}

std::vector<Sample> numbered(const std::string& group, int count) {
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) {
    samples.push_back({.id = group + std::to_string(i), .group = group, .choices = {}});
  }
  return samples;
}

TEST(Shots, ASampleIsNeverItsOwnExample) {
  const std::vector<Sample> all = numbered("g", 9);
  for (const auto kind : {ShotRule::Kind::kFirst, ShotRule::Kind::kPythonSample}) {
    const Protocol protocol{.shots = {.kind = kind, .count = 4, .split = "test"}};
    const auto shots = draw_shots(protocol, all, all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::set<std::string> ids;
      for (const Sample& shot : shots[i]) ids.insert(shot.id);
      EXPECT_EQ(ids.size(), 4U);
      EXPECT_FALSE(ids.contains(all[i].id));
    }
  }
}

TEST(Shots, TooFewExamplesAreOneClearLine) {
  const Protocol protocol{.shots = {.kind = ShotRule::Kind::kFirst, .count = 5, .split = "dev"}};
  const std::vector<Sample> all = numbered("g", 2);
  const std::vector<Sample> pool = numbered("g", 3);
  const std::string message = test::error_message([&] { (void)draw_shots(protocol, all, pool); });
  EXPECT_NE(message.find("3 worked examples in split \"dev\", the protocol shows 5"),
            std::string::npos);
}

TEST(Templates, FillsKnownFieldsOnceAndLeavesOtherBraces) {
  const std::array fields = {TemplateField{"A", "{B}"}, TemplateField{"B", "b"}};
  EXPECT_EQ(fill_template("{A} {B} {C} \\boxed{answer} {", fields), "{B} b {C} \\boxed{answer} {");
}

TEST(Templates, AMissingFileOrTextSaysWhatIsNeeded) {
  const Benchmark& mmlu = find_benchmark("mmlu");
  const Protocol& protocol = find_protocol(mmlu, "meta-cot");
  const Sample sample{.group = "anatomy", .choices = {"a", "b", "c", "d"}};
  PromptContext context{.protocol = &protocol};
  const auto message = [&] {
    return test::error_message([&] { (void)mmlu.to_prompt(sample, context); });
  };
  EXPECT_NE(message().find("--prompts FILE with \"meta.mmlu_0shot_cot.user\""), std::string::npos);
  const PromptTemplates empty{.texts = parse_json("{\"meta\": {}}", "f"), .source = "f.json"};
  context.templates = &empty;
  EXPECT_NE(message().find("f.json: no \"meta.mmlu_0shot_cot.user\""), std::string::npos);
}

}  // namespace
}  // namespace assay::evals
