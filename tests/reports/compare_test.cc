// Comparison and gates on small stores whose figures are known by counting.
#include "reports/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/early_stop.h"
#include "reports/gate.h"
#include "store/machine_speed.h"
#include "tests/store/fixture.h"
#include "tests/support/shared_data.h"

namespace assay::reports {
namespace {

using ::assay::test::error_message;
using ::testing::HasSubstr;

class CompareTest : public ::testing::Test {
 protected:
  /// A finished run; '1' in `verdicts` is a correct item, '0' a wrong one, 'u' unscored.
  /// `items_per_group` above 0 puts that many items into each group; below, items have none.
  store::RunRecord add_run(const std::string& verdicts, store::RunTaskRecord task,
                           const std::string& prompt = "", std::int64_t items_per_group = 0) {
    const store::RunRecord run =
        store_.load_run(store_.create_run(test::example_run(), std::vector{task}));
    store::RunWriter writer(store_, run.row, run.machine);
    std::vector<store::SampleRecord> samples;
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      samples.push_back(test::example_sample(static_cast<std::int64_t>(i), verdicts[i] == '1'));
      samples.back().generation.prompt.text += prompt;
      if (items_per_group < 0) samples.back().item.group.clear();
      if (items_per_group > 0) {
        samples.back().item.group = std::to_string(static_cast<std::int64_t>(i) / items_per_group);
      }
      if (verdicts[i] == 'u') {
        samples.back().score =
            store::ScoreRecord{.verdict = store::Verdict::kUnscored, .reason = "sandbox"};
      }
    }
    writer.add(store_.load_tasks(run.row)[0].row, samples);
    writer.finish(store::RunStatus::kDone);
    return store_.load_run(run.name);
  }
  store::RunRecord add_run(const std::string& verdicts) {
    return add_run(verdicts, test::example_task());
  }
  /// The same verdicts in several tasks.
  store::RunRecord add_tasks(const std::vector<store::RunTaskRecord>& tasks,
                             const std::string& verdicts) {
    return test::add_run_of_tasks(store_, "bf16", tasks, verdicts);
  }

  test::TemporaryFolder folder_;
  store::Store store_ = store::Store::open(folder_.path() / "results.db", store::OpenMode::kCreate);
};

TEST_F(CompareTest, CountsFlipsAndListsThemWithBothResponses) {
  const auto a = add_run("1111100000");
  const auto b = add_run("1110110000");
  const Comparison comparison = compare_runs(store_, a, b);
  ASSERT_EQ(comparison.tasks.size(), 1U);
  const TaskComparison& task = comparison.tasks[0];
  EXPECT_EQ(task.items, 10);
  EXPECT_EQ(task.right_to_wrong, 1);
  EXPECT_EQ(task.wrong_to_right, 1);
  EXPECT_EQ(task.identical, 8);
  ASSERT_EQ(task.flips.size(), 2U);
  EXPECT_EQ(task.flips[0].item, "gsm8k/test/3");
  EXPECT_TRUE(task.flips[0].right_to_wrong);
  EXPECT_EQ(task.flips[0].candidate_response, "the answer is 8");
  EXPECT_EQ(task.metrics[0].difference, 0);
  EXPECT_EQ(task.metrics[0].p, 1);
}

TEST_F(CompareTest, TenLostItemsGiveTheExactMcNemarP) {
  const auto a = add_run(std::string(40, '1'));
  const auto b = add_run(std::string(10, '0') + std::string(30, '1'));
  const MetricComparison metric = compare_runs(store_, a, b).tasks[0].metrics[0];
  EXPECT_DOUBLE_EQ(metric.difference, -0.25);
  EXPECT_NEAR(metric.p, 2.0 / 1024, 1e-15);
  EXPECT_EQ(metric.method, "exact McNemar");
  EXPECT_NEAR(metric.standard_error, std::sqrt(0.25 * 0.75 / 39), 1e-12);
}

// Three items lost in each of three tasks: nothing in a task, something in their mean.
TEST_F(CompareTest, TheMeanOfTasksFindsASmallLossOnEach) {
  std::vector<store::RunTaskRecord> tasks;
  for (const char* name : {"gsm8k", "mmlu", "gpqa"}) tasks.push_back(test::example_task(name, 40));
  const auto a = add_tasks(tasks, std::string(40, '1'));
  const auto b = add_tasks(tasks, "000" + std::string(37, '1'));
  const Comparison comparison = compare_runs(store_, a, b);
  ASSERT_EQ(comparison.tasks.size(), 3U);
  EXPECT_DOUBLE_EQ(comparison.tasks[0].metrics[0].p, 0.25);
  EXPECT_DOUBLE_EQ(comparison.tasks[0].metrics[0].p_adjusted, 0.75);
  ASSERT_TRUE(comparison.mean);
  const MetricComparison& mean = *comparison.mean;
  EXPECT_NEAR(mean.difference, -0.075, 1e-15);
  EXPECT_EQ(mean.method, "sign flips");
  EXPECT_DOUBLE_EQ(mean.p, 2.0 / 512);  // all nine one way
  EXPECT_DOUBLE_EQ(mean.p_adjusted, 8.0 / 512);
  EXPECT_DOUBLE_EQ(comparison.overall_p, 8.0 / 512);
  const double error = comparison.tasks[0].metrics[0].standard_error;
  EXPECT_NEAR(mean.standard_error, error / std::sqrt(3), 1e-12);
  const double t = 1.980448;  // 3 x 39 degrees of freedom
  EXPECT_NEAR(mean.interval.low, -0.075 - t * mean.standard_error, 1e-6);
}

TEST_F(CompareTest, AGateOnTheMeanFailsWhereNoTaskDoes) {
  std::vector<store::RunTaskRecord> tasks;
  for (const char* name : {"gsm8k", "mmlu", "gpqa"}) tasks.push_back(test::example_task(name, 40));
  const auto a = add_tasks(tasks, std::string(40, '1'));
  const auto b = add_tasks(tasks, "000" + std::string(37, '1'));
  GatePolicy policy;
  policy.rules = {{.task = "*", .margin = 0.01}, {.task = "mean", .margin = 0.01}};
  const GateReport report = check_gates(store_, a, b, policy);
  ASSERT_EQ(report.results.size(), 4U);
  EXPECT_EQ(report.results[0].verdict, GateVerdict::kInconclusive);
  EXPECT_EQ(report.results[3].verdict, GateVerdict::kFail) << report.results[3].reason;
  EXPECT_EQ(report.results[3].name, "mean of 3 tasks");
  EXPECT_THAT(report.results[3].reason, HasSubstr("9 right to wrong, 0 wrong to right"));

  const auto one = add_run("1111");
  EXPECT_EQ(check_gates(store_, one, add_run("1110"), policy).results[1].verdict,
            GateVerdict::kIncomparable);
}

// Two protocols on the same questions: what changed in both is one observation.
TEST_F(CompareTest, TasksOfTheSameItemsAreNotTakenAsIndependent) {
  std::vector<store::RunTaskRecord> tasks(2, test::example_task("gsm8k", 40));
  tasks[1].protocol = "other";
  const auto a = add_tasks(tasks, std::string(40, '1'));
  const auto b = add_tasks(tasks, "00000" + std::string(35, '1'));
  const Comparison comparison = compare_runs(store_, a, b);
  ASSERT_TRUE(comparison.mean);
  EXPECT_DOUBLE_EQ(comparison.mean->p, 2.0 / 32);
  EXPECT_NEAR(comparison.mean->standard_error, comparison.tasks[0].metrics[0].standard_error,
              1e-12);
}

TEST_F(CompareTest, ClusteredByGroupOneBadSubjectIsOneObservation) {
  const auto a = add_run(std::string(40, '1'), test::example_task(), "", 10);
  const auto b = add_run(std::string(8, '0') + std::string(32, '1'), test::example_task(), "", 10);
  EXPECT_LT(compare_runs(store_, a, b).tasks[0].metrics[0].p, 0.05);
  const TaskComparison task = compare_runs(store_, a, b, {.cluster = ClusterBy::kGroup}).tasks[0];
  EXPECT_EQ(task.clusters, 4);
  const MetricComparison& metric = task.metrics[0];
  EXPECT_EQ(metric.method, "clustered t");
  EXPECT_DOUBLE_EQ(metric.difference, -0.2);
  EXPECT_NEAR(metric.standard_error, 0.2, 1e-12);  // of -0.8, 0, 0, 0: s = 0.4, over sqrt(4)
  EXPECT_NEAR(metric.p, 0.3910, 1e-4);             // t = -1 with 3 degrees of freedom
}

TEST_F(CompareTest, ClusteredByGroupItemsWithoutAGroupStandAlone) {
  const auto a = add_run(std::string(40, '1'), test::example_task(), "", -1);
  const auto b = add_run(std::string(10, '0') + std::string(30, '1'), test::example_task(), "", -1);
  const TaskComparison task = compare_runs(store_, a, b, {.cluster = ClusterBy::kGroup}).tasks[0];
  EXPECT_EQ(task.clusters, 40);
  EXPECT_EQ(task.metrics[0].method, "exact McNemar");
}

TEST_F(CompareTest, RefusesOtherDataProtocolPromptsAndItemsByName) {
  const auto a = add_run("111");
  store::RunTaskRecord task = test::example_task();
  task.dataset_digest = sha256_hex("other");
  const auto data = add_run("111", task);
  EXPECT_THAT(error_message([&] { compare_runs(store_, a, data); }), HasSubstr("data set"));
  task = test::example_task();
  task.protocol_version = 2;
  const auto version = add_run("111", task);
  EXPECT_THAT(error_message([&] { compare_runs(store_, a, version); }),
              HasSubstr("protocol version 1 and 2"));
  const auto prompt = add_run("111", test::example_task(), " please");
  EXPECT_THAT(error_message([&] { compare_runs(store_, a, prompt); }),
              HasSubstr("prompts differ, first for gsm8k/test/0"));
  const auto fewer = add_run("11");
  EXPECT_THAT(error_message([&] { compare_runs(store_, a, fewer); }), HasSubstr("--common-items"));
  EXPECT_EQ(compare_runs(store_, a, fewer, {.common_items = true}).tasks[0].items, 2);
}

TEST_F(CompareTest, UnscoredResponsesLeaveTheirItemsOutAndAreCounted) {
  const TaskComparison task = compare_runs(store_, add_run("1111"), add_run("11u0")).tasks[0];
  EXPECT_EQ(task.items, 3);
  EXPECT_EQ(task.unscored, 1);
  EXPECT_EQ(task.right_to_wrong, 1);
}

TEST_F(CompareTest, APrefixOfAllHasTheOrdinaryDifferenceInEveryKindOfMetric) {
  store::RunTaskRecord task = test::example_task("gsm8k", 40);
  task.metrics.push_back({"macro", "macro", "accuracy", 1, {}});
  task.metrics.push_back({"both", "mean_of", "", 1, {"accuracy", "macro"}});
  const auto a = add_run("1111111111011111110000111111111011110111", task);
  const auto b = add_run("1101111100011110110010111011111000110111", task);
  const PrefixComparison prefix(store_, store_.load_tasks(a.row)[0], 7);
  const TaskData candidate = load_task_data(store_, store_.load_tasks(b.row)[0]);
  const Comparison whole = compare_runs(store_, a, b);
  ASSERT_EQ(whole.tasks[0].metrics.size(), 3U);
  for (const MetricComparison& metric : whole.tasks[0].metrics) {
    const MetricComparison found = prefix.compare(candidate, metric.metric, {});
    EXPECT_NEAR(found.difference, metric.difference, 1e-12) << metric.metric;
    EXPECT_NEAR(found.candidate, metric.candidate, 1e-12) << metric.metric;
    EXPECT_LE(found.interval.low, metric.interval.low) << "valid at any time: wider";
    EXPECT_GE(found.interval.high, metric.interval.high);
  }
}

TEST_F(CompareTest, APartThatIsNoPrefixCountsForNothing) {
  store::RunTaskRecord task = test::example_task("gsm8k", 10);
  const auto a = add_run("1111111111", task);
  const auto b = add_run("000", task);  // not the first three of the seeded order
  const PrefixComparison prefix(store_, store_.load_tasks(a.row)[0], 7);
  const TaskData part = load_task_data(store_, store_.load_tasks(b.row)[0]);
  const MetricComparison found = prefix.compare(part, "accuracy", {});
  EXPECT_EQ(found.difference, 0);
  EXPECT_EQ(found.interval.low, -1);
  EXPECT_EQ(found.p, 1);
  EXPECT_THAT(error_message([&] { PrefixComparison(store_, store_.load_tasks(b.row)[0], 7); }),
              HasSubstr("3 of 10"));
}

TEST_F(CompareTest, GateVerdictsFollowTheirRule) {
  const std::string good(400, '1');
  const auto base = add_run(good);
  const auto verdict = [&](const std::string& candidate) {
    return check_gates(store_, base, add_run(candidate), default_policy());
  };
  EXPECT_EQ(verdict(good).exit_code(), ExitCode::kOk);
  EXPECT_THAT(verdict(good).results[0].reason, HasSubstr("identical"));
  const GateReport lost = verdict(std::string(40, '0') + std::string(360, '1'));
  EXPECT_EQ(lost.exit_code(), ExitCode::kGateFailed);
  EXPECT_THAT(gate_junit({&lost, 1}), HasSubstr("<failure type=\"regression\""));
  GateReport few = verdict("000" + std::string(397, '1'));
  EXPECT_EQ(few.verdict(), GateVerdict::kInconclusive);
  EXPECT_EQ(few.exit_code(), ExitCode::kOk);
  few.inconclusive_fails = true;
  EXPECT_EQ(few.exit_code(), ExitCode::kInconclusive);
  EXPECT_GT(few.results[0].items_needed, 400);
  EXPECT_EQ(verdict("1").exit_code(), ExitCode::kIncomparable);
}

TEST_F(CompareTest, SpeedNeedsMarginAndRankTest) {
  const auto a = add_run("1");
  const auto b = add_run("1");
  const auto measure = [&](const store::RunRecord& run, double scale) {
    store::BenchCaseRecord bench{"latency/isl:8", "latency", Json(), {}};
    for (int i = 0; i < 6; ++i) {
      bench.reps.push_back(
          {i, i, false, "", 1, "", Json(), {{"tpot_ms", scale * (10 + 0.01 * i)}}});
    }
    store_.add_bench(run.row, std::vector{bench});
  };
  measure(a, 1.0);
  measure(b, 1.1);
  GateRule rule{.kind = GateRule::Kind::kSpeed, .task = "*", .metric = "tpot_ms", .margin = 0.03};
  rule.higher_is_better = false;
  EXPECT_EQ(check_gates(store_, a, b, {{rule}, false}).verdict(), GateVerdict::kFail);
  EXPECT_EQ(check_gates(store_, b, a, {{rule}, false}).results[0].verdict, GateVerdict::kImproved);
  rule.margin = 0.2;
  EXPECT_EQ(check_gates(store_, a, b, {{rule}, false}).verdict(), GateVerdict::kPass);
}

// Twelve repetitions of two starts are two values, which can show nothing, however well they agree.
TEST_F(CompareTest, SpeedCountsStartsAndNotTheirRepetitions) {
  const auto a = add_run("1");
  const auto b = add_run("1");
  const auto measure = [&](const store::RunRecord& run, double scale) {
    store::BenchCaseRecord bench{"latency/isl:8", "latency", Json(), {}};
    for (int i = 0; i < 12; ++i) {
      bench.reps.push_back({i,
                            i,
                            false,
                            "",
                            1,
                            i == 3 ? "noisy" : "",
                            Json(Json::Object{{"start", i / 6}}),
                            {{"tpot_ms_p50", scale * (10 + i / 6)}}});
    }
    store_.add_bench(run.row, std::vector{bench});
  };
  measure(a, 1.0);
  measure(b, 2.0);
  const Comparison comparison = compare_runs(store_, a, b);
  ASSERT_EQ(comparison.speeds.size(), 1);
  EXPECT_EQ(comparison.speeds[0].baseline_values, 2);
  EXPECT_EQ(comparison.speeds[0].candidate_values, 2);
  EXPECT_DOUBLE_EQ(comparison.speeds[0].baseline, 10.5);
  EXPECT_GT(comparison.speeds[0].p, 0.3);
  GateRule rule{
      .kind = GateRule::Kind::kSpeed, .task = "*", .metric = "tpot_ms_p50", .margin = 0.03};
  rule.higher_is_better = false;
  EXPECT_EQ(check_gates(store_, a, b, {{rule}, false}).verdict(), GateVerdict::kInconclusive);
}

// On a machine that changed, a change of speed says nothing, and none says nothing either.
TEST_F(CompareTest, SpeedsOfAMachineThatChangedAreInconclusive) {
  const auto a = add_run("1");
  const auto b = add_run("1");
  const auto measure = [&](const store::RunRecord& run, double read) {
    store::BenchCaseRecord bench{"latency/isl:8", "latency", Json(), {}};
    const MachineSpeed speed{.read_bytes_per_s = read, .flops_per_s = 1, .loops_per_s = 1};
    Json detail;
    detail.set("machine_speed", store::to_json(speed, speed));
    for (int i = 0; i < 6; ++i) {
      bench.reps.push_back(
          {i, i, false, "", 1, "", detail, {{"tpot_ms_p50", read * (10 + 0.01 * i)}}});
    }
    store_.add_bench(run.row, std::vector{bench});
  };
  measure(a, 1.0);
  measure(b, 1.5);
  GateRule rule{
      .kind = GateRule::Kind::kSpeed, .task = "*", .metric = "tpot_ms_p50", .margin = 0.03};
  rule.higher_is_better = false;
  for (const auto& [before, after] : {std::pair(a, b), std::pair(b, a)}) {
    const GateReport report = check_gates(store_, before, after, {{rule}, false});
    EXPECT_EQ(report.verdict(), GateVerdict::kInconclusive);
    EXPECT_THAT(report.results[0].reason, HasSubstr("the machine itself differed: memory is read"));
  }
  const Comparison comparison = compare_runs(store_, a, b);
  EXPECT_THAT(comparison_text(comparison),
              HasSubstr(", the machine itself differed: memory is read at 150 %"));
  EXPECT_THAT(comparison_markdown(comparison), HasSubstr("memory is read at 150 %"));
}

TEST_F(CompareTest, RunsWithoutTasksAreComparedBySpeed) {
  const auto add = [&](double scale, std::int64_t noisy) {
    store::RunRecord run;
    run.suite_name = "bench latency";
    run.model.name = "m";
    run.inputs = Json(Json::Object{});
    run.suite = run.engine = run.model.detail = run.machine.detail = Json(Json::Object{});
    run.device = "cuda";
    run.arithmetic = noisy > 0 ? "sm90-fast-tensor-1-tp1" : "sm90-wgmma-tensor-1";
    const store::RunRecord stored = store_.load_run(store_.create_run(run, {}));
    store::BenchCaseRecord bench{"latency/batch:1", "latency", Json(Json::Object{}), {}};
    for (std::int64_t i = 0; i < 6; ++i) {
      bench.reps.push_back(
          {i,
           i,
           false,
           "",
           1,
           i < noisy ? "noisy" : "",
           Json(),
           {{"tpot_ms_p50", scale * (10 + 0.01 * static_cast<double>(i))}, {"iterations", 3}}});
    }
    store::BenchCaseRecord bounds{"roofline/cpu", "roofline", Json(Json::Object{}), {}};
    bounds.reps.push_back({0, 0, false, "", 1, "", Json(), {{"read_bytes_per_s", 1e9}}});
    store_.add_bench(stored.row, std::vector{bounds, bench});
    store::RunWriter(store_, stored.row, run.machine).finish(store::RunStatus::kDone);
    return store_.load_run(stored.name);
  };
  const auto a = add(1.0, 0);
  const auto b = add(1.2, 2);
  const Comparison comparison = compare_runs(store_, a, b);
  ASSERT_EQ(comparison.speeds.size(), 1);  // headline metrics alone
  const SpeedComparison& speed = comparison.speeds[0];
  EXPECT_EQ(speed.metric, "tpot_ms_p50");
  EXPECT_FALSE(speed.higher_is_better);
  EXPECT_NEAR(speed.change, 0.2, 0.01);
  EXPECT_EQ(speed.candidate_values, 4);  // invalid ones are left out
  EXPECT_LT(speed.p, 0.02);
  EXPECT_THAT(comparison_text(comparison), HasSubstr("tpot_ms_p50"));
  EXPECT_THAT(comparison_text(comparison), testing::Not(HasSubstr("any change at all")));
  EXPECT_THAT(comparison_markdown(comparison), HasSubstr("6+4"));
  EXPECT_THAT(comparison_text(comparison),
              HasSubstr("different arithmetic: cuda/sm90-wgmma-tensor-1 and "
                        "cuda/sm90-fast-tensor-1-tp1"));
  EXPECT_THAT(comparison_markdown(comparison), HasSubstr("Different arithmetic"));
  EXPECT_FALSE(comparison_json(comparison).at("same_arithmetic").as_bool());
  EXPECT_THAT(comparison_text(compare_runs(store_, a, a)),
              testing::Not(HasSubstr("different arithmetic")));
  EXPECT_EQ(comparison_json(comparison).at("speeds").as_array().size(), 1);
  // A rule for many cases passes over those without the metric.
  const GateRule rule{.kind = GateRule::Kind::kSpeed,
                      .task = "*",
                      .metric = "tpot_ms_p50",
                      .margin = 0.05,
                      .higher_is_better = false};
  const GateReport report = check_gates(store_, a, b, {{rule}, false});
  ASSERT_EQ(report.results.size(), 1);
  EXPECT_EQ(report.verdict(), GateVerdict::kFail);
  GateRule prefix = rule;
  prefix.task = "latency/*";
  EXPECT_EQ(check_gates(store_, a, b, {{prefix}, false}).verdict(), GateVerdict::kFail);
  prefix.task = "throughput/*";
  EXPECT_EQ(check_gates(store_, a, b, {{prefix}, false}).verdict(), GateVerdict::kIncomparable);
}

TEST(GatePolicy, AMisspeltKeyIsAnErrorWithPlaceAndSuggestion) {
  const JsonSource source{"p.jsonc", R"([{"task": "gsm8k", "margin_point": 1}])"};
  const std::string message =
      error_message([&] { parse_policy(parse_json(source.text, source.name), source); });
  EXPECT_THAT(message, HasSubstr("p.jsonc:1"));
  EXPECT_THAT(message, HasSubstr("margin_points"));
}

TEST(CompareCsv, FormulasAreDefused) {
  EXPECT_EQ(csv_cell("=1+1"), "'=1+1");
  EXPECT_EQ(csv_cell("  @x"), "'  @x");
  EXPECT_EQ(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
  EXPECT_EQ(csv_cell("plain"), "plain");
}

}  // namespace
}  // namespace assay::reports
