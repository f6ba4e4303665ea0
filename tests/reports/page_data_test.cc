// The page's figures, held against the plain comparison on the store and against counting.
#include "reports/page_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/compare.h"
#include "reports/page_speed.h"
#include "reports/page_text.h"
#include "reports/page_verdict.h"
#include "store/machine_speed.h"
#include "tests/store/fixture.h"
#include "tests/support/shared_data.h"

namespace assay::reports {
namespace {

class PageDataTest : public ::testing::Test {
 protected:
  /// A finished run; '1' is a correct item, '0' a wrong one, 'u' unscored, '-' not asked.
  store::RunRecord add_run(const std::string& setting, const std::string& verdicts,
                           const store::RunTaskRecord& task = test::example_task()) {
    const store::RunRecord run =
        store_.load_run(store_.create_run(test::example_run(setting), std::vector{task}));
    store::RunWriter writer(store_, run.row, run.machine);
    std::vector<store::SampleRecord> samples;
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      if (verdicts[i] == '-') continue;
      samples.push_back(test::example_sample(static_cast<std::int64_t>(i), verdicts[i] == '1'));
      if (verdicts[i] == 'u') {
        samples.back().score =
            store::ScoreRecord{.verdict = store::Verdict::kUnscored, .reason = "sandbox"};
      }
    }
    writer.add(store_.load_tasks(run.row)[0].row, samples);
    writer.finish(store::RunStatus::kDone);
    return store_.load_run(run.name);
  }

  test::TemporaryFolder folder_;
  store::Store store_ = store::Store::open(folder_.path() / "results.db", store::OpenMode::kCreate);
};

// The page pairs loaded tasks; compare_runs reads the store. Whole runs, unscored responses and
// missing items take different ways through the former.
TEST_F(PageDataTest, DifferencesAreThoseOfTheComparison) {
  const store::RunRecord base = add_run("bf16", "111110000011");
  for (const char* verdicts : {"111010000111", "1110u00001u1", "11-110--0011", "111110000011"}) {
    const store::RunRecord head = add_run("fp8", verdicts);
    const Page page = load_page(store_, {.runs = {base.name, head.name}});
    const Comparison comparison = compare_runs(store_, base, head, {.common_items = true});
    ASSERT_TRUE(page.metrics.at(0).differences[1]) << verdicts;
    const PageDifference& d = *page.metrics[0].differences[1];
    const TaskComparison& task = comparison.tasks.at(0);
    const MetricComparison& m = task.metrics.at(0);
    EXPECT_EQ(std::tuple(d.value, d.low, d.high, d.p, d.p_adjusted, d.detectable, d.method),
              std::tuple(m.difference, m.interval.low, m.interval.high, m.p, m.p_adjusted,
                         m.detectable, m.method))
        << verdicts;
    EXPECT_EQ(std::tuple(d.items, d.responses, d.identical, d.right_to_wrong, d.wrong_to_right),
              std::tuple(task.items, task.responses, task.identical, task.right_to_wrong,
                         task.wrong_to_right))
        << verdicts;
  }
}

TEST_F(PageDataTest, SpeedsOfAMachineThatChangedAreNoted) {
  const auto measured = [&](const char* setting, double read) {
    const store::RunRecord run = add_run(setting, "1111");
    store::BenchCaseRecord bench{"latency/batch:1", "latency", Json(Json::Object{}), {}};
    const MachineSpeed speed{.read_bytes_per_s = read, .flops_per_s = 1, .loops_per_s = 1};
    Json detail;
    detail.set("machine_speed", store::to_json(speed, speed));
    bench.reps.push_back({0, 0, false, "", 1, "", detail, {{"tpot_ms_p50", 5}}});
    store_.add_bench(run.row, std::vector{bench});
    return run.name;
  };
  const std::string base = measured("bf16", 100);
  const std::string alike = measured("fp8", 97);
  const std::string other = measured("int8", 60);
  const auto notes = [&](const std::string& run) {
    return load_page(store_, {.runs = {base, run}}).notes;
  };
  const auto note = testing::HasSubstr("the machine itself differed: memory is read at 60 %");
  EXPECT_THAT(notes(other), testing::Contains(note));
  EXPECT_THAT(notes(alike), testing::Not(testing::Contains(testing::HasSubstr("machine"))));
}

TEST_F(PageDataTest, RunsOfSpeedAloneHaveAFastestAndNoLoss) {
  const auto measured = [&](const char* setting, double rate) {
    const store::RunRecord run = store_.load_run(store_.create_run(
        test::example_run(setting), std::vector<store::RunTaskRecord>{}));
    store::RunWriter(store_, run.row, run.machine).finish(store::RunStatus::kDone);
    store::BenchCaseRecord bench{"throughput/x", "throughput", Json(Json::Object{}), {}};
    bench.reps.push_back({0, 0, false, "", 1, "", Json(), {{"output_tokens_per_s", rate}}});
    store_.add_bench(run.row, std::vector{bench});
    return run.name;
  };
  const std::string slow = measured("bf16", 100);
  const std::string fast = measured("fp8", 150);
  const auto answers = answers_of(load_page(store_, {.runs = {slow, fast}}));
  ASSERT_EQ(answers.size(), 3);
  EXPECT_EQ(answers[0].answer, "Not measured");
  EXPECT_EQ(answers[1].question, "Which is fastest?");
  EXPECT_EQ(answers[1].answer, "fp8");
  EXPECT_EQ(answers[1].detail, "150 tokens/s, 1.50\u00D7 bf16.");
  const std::string slower = measured("int8", 50);
  EXPECT_EQ(answers_of(load_page(store_, {.runs = {slow, slower}}))[1].detail, "100 tokens/s.");
}

TEST_F(PageDataTest, TheMeanOfTasksIsThatOfTheComparisonAndDecidesTheVerdict) {
  const std::vector<store::RunTaskRecord> tasks = {test::example_task("gsm8k", 40),
                                                   test::example_task("mmlu", 40)};
  const auto base = test::add_run_of_tasks(store_, "bf16", tasks, std::string(40, '1'));
  const auto head = test::add_run_of_tasks(store_, "fp8", tasks, "00000" + std::string(35, '1'));
  const Page page = load_page(store_, {.runs = {base.name, head.name}});
  const MetricComparison mean = *compare_runs(store_, base, head).mean;
  EXPECT_FALSE(page.runs[0].mean_change);
  ASSERT_TRUE(page.runs[1].mean_change);
  const PageDifference& d = *page.runs[1].mean_change;
  EXPECT_EQ(std::tuple(d.value, d.low, d.high, d.p, d.p_adjusted, d.detectable, d.method),
            std::tuple(mean.difference, mean.interval.low, mean.interval.high, mean.p,
                       mean.p_adjusted, mean.detectable, mean.method));
  EXPECT_EQ(std::tuple(d.items, d.responses, d.right_to_wrong, d.wrong_to_right),
            std::tuple(80, 80, 10, 0));
  EXPECT_EQ(d.p_adjusted, 6.0 / 1024);
  const std::string text = page_markdown(page);
  EXPECT_THAT(text, ::testing::HasSubstr("1 of 1 run worse"));
  EXPECT_THAT(text, ::testing::HasSubstr("mean of 2 tasks \u221212.5 points"));
}

TEST_F(PageDataTest, WhatCannotBePairedSaysWhy) {
  const store::RunRecord base = add_run("bf16", "1100");
  store::RunTaskRecord task = test::example_task();
  task.dataset_digest = sha256_hex("another");
  const store::RunRecord head = add_run("fp8", "1100", task);
  const Page page = load_page(store_, {.runs = {base.name, head.name}});
  EXPECT_FALSE(page.metrics.at(0).differences[1]);
  EXPECT_THAT(page.metrics[0].incomparable[1], ::testing::HasSubstr("data set"));
  EXPECT_TRUE(page.common_tasks.empty());
}

// The plain difference over the items that a gate happened to ask would be biased.
TEST_F(PageDataTest, ARunThatAGateStoppedShowsNoDifference) {
  const store::RunRecord base = add_run("bf16", "110011");
  store::RunRecord head = test::example_run("fp8");
  head.inputs.set(store::kGateBaseline, base.name);
  head = store_.load_run(store_.create_run(head, std::vector{test::example_task("gsm8k", 6)}));
  store::RunWriter writer(store_, head.row, head.machine);
  std::vector<store::SampleRecord> samples = {test::example_sample(0, false)};
  writer.add(store_.load_tasks(head.row)[0].row, samples);
  writer.finish(store::RunStatus::kDone);
  const Page page = load_page(store_, {.runs = {base.name, head.name}});
  EXPECT_FALSE(page.metrics.at(0).differences[1]);
  EXPECT_THAT(page.metrics[0].incomparable[1], ::testing::HasSubstr("stopped early"));
}

TEST_F(PageDataTest, ChangedVerdictsComeFirstThenFailures) {
  const store::RunRecord base = add_run("bf16", "1101");
  const store::RunRecord head = add_run("fp8", "1100");
  const Page page = load_page(store_, {.runs = {base.name, head.name}});
  std::vector<std::string> keys;
  for (const PageItem& item : page.items) keys.push_back(item.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"gsm8k/test/3", "gsm8k/test/2", "gsm8k/test/0",
                                            "gsm8k/test/1"}));
  EXPECT_TRUE(page.items[0].flip);
  EXPECT_EQ(page.items[0].responses[1].first_difference, 2);
  EXPECT_EQ(page.items[2].responses[1].first_difference, -1);
}

TEST_F(PageDataTest, TextsOfRestrictedDataStayOut) {
  store::RunTaskRecord task = test::example_task();
  task.definition = parse_json(R"({"restricted": true})", "test");
  add_run("bf16", "10", task);
  const Page page = load_page(store_);
  EXPECT_TRUE(page.withheld);
  for (const PageItem& item : page.items) {
    EXPECT_THAT(item.prompt + item.responses.at(0).text,
                ::testing::Not(::testing::HasSubstr("is 7")));
    EXPECT_THAT(item.prompt, ::testing::HasSubstr("withheld"));
  }
  EXPECT_FALSE(load_page(store_, {.include_restricted = true}).withheld);
}

TEST_F(PageDataTest, EarlierRunsMakeATrend) {
  add_run("bf16", "1000");
  add_run("bf16", "1100");
  const Page page = load_page(store_);
  ASSERT_EQ(page.runs.size(), 1U);
  ASSERT_EQ(page.trends.size(), 1U);
  EXPECT_EQ(page.trends[0].points.at(0).value.value, 0.25);
  EXPECT_EQ(page.trends[0].points.at(1).value.value, 0.5);
}

TEST_F(PageDataTest, PublishedScoresAreShownForTheirModel) {
  add_run("bf16", "10");
  const PublishedScore own{.model = "Stories", .task = "gsm8k"};
  const PublishedScore other{.model = "another", .task = "gsm8k"};
  EXPECT_EQ(load_page(store_, {.published = {own, other}}).published.size(), 1U);
  EXPECT_EQ(load_page(store_, {.published = {own, other}, .all_published = true}).published.size(),
            2U);
}

TEST_F(PageDataTest, MarkdownAndCsvHoldTheFigures) {
  const store::RunRecord base = add_run("bf16", "1100");
  const store::RunRecord head = add_run("fp8", "1000");
  const Page page = load_page(store_, {.runs = {base.name, head.name}});
  EXPECT_THAT(page_markdown(page), ::testing::HasSubstr("50.0"));
  EXPECT_THAT(page_csv(page), ::testing::HasSubstr(",0.25,"));
}

TEST(Spread, ValuesAreOnesThatHappened) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(spread_of(values), (std::vector<double>{5, 25, 50, 75, 90, 95, 99}));
  EXPECT_EQ(spread_of({3}), (std::vector<double>(7, 3)));
}

}  // namespace
}  // namespace assay::reports
