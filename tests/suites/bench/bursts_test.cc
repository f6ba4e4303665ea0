// Several bursts are one load without the time between them.
#include "suites/bench/bursts.h"

#include <gtest/gtest.h>

#include <memory>

#include "suites/bench/latency.h"
#include "suites/bench/throughput.h"
#include "tests/suites/bench/scripted_session.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// 10 ms to the first token, 2 ms to each of two further ones: a burst of 14 ms and the nanosecond
/// that closes its window.
class Bursts : public testing::Test {
 protected:
  Bursts() {
    session_ = std::make_unique<ScriptedSession>(
        time_, ScriptedServer{.script = [](std::int64_t) {
          return TokenScript{{10 * kMs, 1}, {12 * kMs, 1}, {14 * kMs, 1}};
        }});
    target_ = {.session = session_.get(), .clock = &time_, .seed = 1};
  }

  VirtualTime time_;
  std::unique_ptr<ScriptedSession> session_;
  BenchTarget target_;
};

TEST_F(Bursts, AreRepeatedUntilTheirOwnTimeIsLongEnough) {
  BurstPlan plan{.lengths = {{.input = 8, .output = 3}}, .requests = 2, .bursts = 3};
  EXPECT_EQ(run_bursts(target_, plan, "case", 0).bursts, 3);
  plan.min_time_s = 0.1;
  const BurstSeries series = run_bursts(target_, plan, "case", 0);
  EXPECT_EQ(series.bursts, 8);  // 7 are 98 ms
  EXPECT_EQ(series.requests.size(), 16);
}

TEST_F(Bursts, TheTimeBetweenThemIsNoBursts) {
  std::int64_t begun = 0;
  const BurstPlan plan{.lengths = {{.input = 8, .output = 3}}, .requests = 1, .bursts = 4};
  const BurstSeries series = run_bursts(target_, plan, "case", 0, [&](const LoadResult& load) {
    EXPECT_GE(load.begin_ns, begun);
    begun = load.begin_ns;
    time_.sleep_until(time_.now_ns() + 50 * kMs);  // as if prompts took long to make
  });
  EXPECT_EQ(series.window.end_ns - series.window.begin_ns, 4 * (14 * kMs + 1));
  for (std::size_t i = 0; i < series.requests.size(); ++i) {
    const RequestTiming& request = series.requests[i];
    const auto number = static_cast<std::int64_t>(i);
    const std::int64_t begin = series.window.begin_ns + number * (14 * kMs + 1);
    EXPECT_EQ(request.scheduled_ns, begin);
    EXPECT_EQ(request.first_ns - begin, 10 * kMs);
    EXPECT_EQ(request.last_ns - begin, 14 * kMs);
    ASSERT_EQ(request.chunks.size(), 3);
    EXPECT_EQ(request.chunks[1].at_ns - begin, 12 * kMs);
  }
}

TEST_F(Bursts, FiguresAreThoseOfASingleBurst) {
  for (const double min_time_s : {0.0, 0.5}) {
    const Measured measured = measure_cases(
        throughput_cases(target_, {.loads = {{{.input = 8, .output = 3}}}, .requests = 4,
                                   .min_time_s = min_time_s}),
        {.reps = 1, .noise = {.foreign_cores = 1e9, .stolen_share = 2}});
    ASSERT_EQ(measured.cases.size(), 1);
    const store::BenchRepRecord& rep = measured.cases[0].reps.at(0);
    EXPECT_EQ(rep.detail.at("bursts").as_int(), min_time_s == 0 ? 1 : 36);
    EXPECT_EQ(rep.detail.at("output_tokens").as_int(), min_time_s == 0 ? 12 : 432);
    for (const CaseFigure& figure : figures_of(measured.cases[0])) {
      const auto is = [&](const char* metric) { return figure.metric == metric; };
      if (is("output_tokens_per_s")) {
        EXPECT_NEAR(figure.mean, 12 / 0.014, 1e-3);
      } else if (is("ttft_ms_p99")) {
        EXPECT_DOUBLE_EQ(figure.mean, 10);
      } else if (is("mean_concurrency")) {
        EXPECT_NEAR(figure.mean, 4, 1e-3);
      }
    }
  }
}

TEST_F(Bursts, RunsWithOtherLeastTimesAreNotCompared) {
  const Json one = latency_cases(target_, {.min_time_s = 1})[0].params;
  const Json two = latency_cases(target_, {.min_time_s = 2})[0].params;
  EXPECT_NE(one, two);
  EXPECT_EQ(latency_cases(target_, {})[0].params, one);
}

}  // namespace
}  // namespace assay::suites
