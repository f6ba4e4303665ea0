#include "suites/bench/load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/order_statistics.h"
#include "base/random.h"
#include "suites/interrupt.h"
#include "tests/suites/bench/scripted_session.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;

engine::Request request_of(std::int64_t number) {
  engine::Request request;
  request.id = std::to_string(number);
  request.prompt.form = engine::PromptInput::Form::kIds;
  request.prompt.ids.assign(10, 1);
  return request;
}

double value(const Figures& figures, const std::string& name) {
  const auto found = value_of(figures, name);
  EXPECT_TRUE(found) << name;
  return found.value_or(NAN);
}

Window all_of(const LoadResult& result) { return {result.begin_ns, result.last_start_ns + 1}; }

TEST(Arrivals, ALongerScheduleBeginsWithTheShorterOne) {
  const auto few = arrival_schedule(Arrivals::kPoisson, 100, 1e9, 50, 7);
  const auto many = arrival_schedule(Arrivals::kPoisson, 100, 1e9, 500, 7);
  ASSERT_EQ(few.size(), 50);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(arrival_schedule(Arrivals::kPoisson, 100, 1e9, 50, 8), few);
}

TEST(Arrivals, PoissonGapsHaveTheirMeanAndVariance) {
  constexpr int kCount = 200000;
  const auto schedule = arrival_schedule(Arrivals::kPoisson, 1000, 1e9, kCount, 3);
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 1; i < schedule.size(); ++i) {
    const double gap = static_cast<double>(schedule[i] - schedule[i - 1]) / 1e6;
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / (kCount - 1);
  EXPECT_NEAR(mean, 1, 0.01);
  EXPECT_NEAR(squares / (kCount - 1) - mean * mean, 1, 0.03);
}

TEST(Arrivals, ConstantGapsDoNotAddUpErrors) {
  const auto schedule = arrival_schedule(Arrivals::kConstant, 3, 100, 0, 0);
  ASSERT_EQ(schedule.size(), 300);
  EXPECT_EQ(schedule[299], static_cast<std::int64_t>(299 / 3.0 * 1e9));
}

/// An open loop whose schedule the calling thread keeps, or the session.
class OpenLoad : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Load, OpenLoad, testing::Bool(),
                         [](const auto& one) { return one.param ? "BySession" : "ByCaller"; });

TEST(Load, ClosedLoopKeepsEverySlotBusy) {
  VirtualTime time;
  ScriptedSession session(time, {.script = [](std::int64_t) {
                            return TokenScript{{10 * kMs, 1}, {20 * kMs, 1}};
                          }});
  const LoadResult result = run_load(session, request_of, {.concurrency = 4, .requests = 40}, time);
  ASSERT_EQ(result.requests.size(), 40);
  EXPECT_EQ(session.most_busy, 4);
  EXPECT_EQ(result.end_ns - result.begin_ns, 10 * 20 * kMs);
  const Figures figures = figures_of(result.requests, {result.begin_ns, result.end_ns}, {});
  EXPECT_DOUBLE_EQ(value(figures, "mean_concurrency"), 4);
  EXPECT_DOUBLE_EQ(value(figures, "ttft_ms_p50"), 10);
  EXPECT_DOUBLE_EQ(value(figures, "e2e_ms_p99"), 20);
  EXPECT_DOUBLE_EQ(value(figures, "tpot_ms_p50"), 10);
}

TEST(Load, ClosedLoopOfADurationStartsNothingAfterIt) {
  VirtualTime time;
  ScriptedSession session(time, {.script = [](std::int64_t) {
                            return TokenScript{{30 * kMs, 1}};
                          }});
  const LoadResult result =
      run_load(session, request_of, {.concurrency = 2, .duration_s = 0.1}, time);
  EXPECT_EQ(result.requests.size(), 8);  // at 0, 30, 60 and 90 ms
  EXPECT_LT(result.last_start_ns, result.begin_ns + 100 * kMs);
  for (const RequestTiming& r : result.requests) EXPECT_EQ(r.outcome, RequestOutcome::kDone);
}

// Exactly known token times: the figures are those times.
TEST_P(OpenLoad, FiguresAreTheScriptedTimes) {
  VirtualTime time;
  const auto script = [](std::int64_t number) {
    TokenScript out;
    std::int64_t at = (5 + number % 100) * kMs;
    out.push_back({at, 1});
    for (int i = 0; i < 20; ++i) out.push_back({at += (1 + i % 4) * kMs, 1});
    return out;
  };
  ScriptedSession session(time, {.script = script, .keeps_times = GetParam()});
  const LoadResult result = run_load(
      session, request_of,
      {.arrivals = Arrivals::kPoisson, .rate_per_s = 500, .requests = 5000, .seed = 3}, time);
  const Figures figures = figures_of(result.requests, all_of(result), {});
  EXPECT_EQ(figures.requests, 5000);
  EXPECT_DOUBLE_EQ(value(figures, "ttft_ms_p50"), 54);
  EXPECT_DOUBLE_EQ(value(figures, "ttft_ms_p90"), 94);
  EXPECT_DOUBLE_EQ(value(figures, "ttft_ms_p99"), 103);
  EXPECT_DOUBLE_EQ(value(figures, "itl_ms_p50"), 2);
  EXPECT_DOUBLE_EQ(value(figures, "itl_ms_p90"), 4);
  EXPECT_DOUBLE_EQ(value(figures, "itl_ms_mean"), 2.5);
  EXPECT_DOUBLE_EQ(value(figures, "tpot_ms_p99"), 2.5);
  EXPECT_DOUBLE_EQ(value(figures, "e2e_ms_p50"), 104);
  EXPECT_DOUBLE_EQ(value(figures, "send_lag_ms_p99"), 0);
}

// A server that stands still for a second while 100 requests a second come due: who came due at
// time t of the stall waits 1 s - t. Counted from being sent, that is one request's trouble.
TEST_P(OpenLoad, AStallIsSeenByEveryRequestThatCameDueInIt) {
  const auto run = [](const LoadPlan& plan) {
    VirtualTime time;
    ScriptedSession session(time, {.script =
                                       [](std::int64_t) {
                                         return TokenScript{{1 * kMs, 1}};
                                       },
                                   .slots = 1,
                                   .stall_begin = 5 * kSecond,
                                   .stall_end = 6 * kSecond,
                                   .keeps_times = GetParam()});
    const LoadResult result = run_load(session, request_of, plan, time);
    return figures_of(result.requests, all_of(result), {});
  };
  const LoadPlan open{.arrivals = Arrivals::kConstant, .rate_per_s = 100, .requests = 1000};
  const Figures unlimited = run(open);
  // 100 of 1000 requests come due in the stall and some wait behind them: p99 is near its length.
  EXPECT_GT(value(unlimited, "ttft_arrival_ms_p99"), 900);
  EXPECT_GT(value(unlimited, "ttft_arrival_ms_p90"), 50);
  EXPECT_DOUBLE_EQ(value(unlimited, "ttft_arrival_ms_p50"), 1);

  // With a limit on requests in flight they wait in the generator. The clock that starts with
  // sending hides nearly all of it, the clock of the schedule nothing.
  LoadPlan capped = open;
  capped.most_in_flight = 1;
  const Figures limited = run(capped);
  EXPECT_LT(value(limited, "ttft_ms_p99"), 2);
  EXPECT_DOUBLE_EQ(value(limited, "ttft_arrival_ms_p99"), value(unlimited, "ttft_arrival_ms_p99"));
  EXPECT_GT(value(limited, "send_lag_ms_p99"), 900);

  // A closed loop sees the stall once, whatever came due meanwhile.
  const Figures closed = run({.concurrency = 1, .requests = 6000});
  EXPECT_LT(value(closed, "ttft_arrival_ms_p99"), 2);
}

TEST_P(OpenLoad, WhatWaitsBehindALimitIsSentInOrder) {
  VirtualTime time;
  ScriptedSession session(time, {.script =
                                     [](std::int64_t) {
                                       return TokenScript{{10 * kMs, 1}};
                                     },
                                 .keeps_times = GetParam()});
  const LoadResult result = run_load(
      session, request_of,
      {.arrivals = Arrivals::kConstant, .rate_per_s = 1000, .requests = 50, .most_in_flight = 2},
      time);
  EXPECT_EQ(session.most_busy, 2);
  for (std::size_t i = 1; i < result.requests.size(); ++i) {
    EXPECT_LE(result.requests[i - 1].sent_ns, result.requests[i].sent_ns);
  }
}

TEST_P(OpenLoad, ErrorsAndSilenceAreCountedAndNotAveraged) {
  VirtualTime time;
  ScriptedSession session(time, {.script =
                                     [](std::int64_t) {
                                       return TokenScript{{10 * kMs, 1}};
                                     },
                                 .fails = [](std::int64_t number) { return number % 10 == 0; },
                                 .hangs = [](std::int64_t number) { return number == 5; },
                                 .keeps_times = GetParam()});
  const LoadResult result = run_load(
      session, request_of,
      {.arrivals = Arrivals::kConstant, .rate_per_s = 100, .requests = 100, .drain_s = 3}, time);
  EXPECT_EQ(result.requests[5].outcome, RequestOutcome::kUnfinished);
  EXPECT_EQ(result.requests[10].error, "scripted failure");
  EXPECT_FALSE(session.cancelled.empty());
  const Figures figures = figures_of(result.requests, all_of(result), {.ttft_ms = 20});
  EXPECT_EQ(figures.errors, 11);
  EXPECT_DOUBLE_EQ(value(figures, "slo_attainment"), 0.89);
}

// The slot of a failed request goes to the next one when the failure is known, not before.
TEST(Load, AnErrorEndsWhenItIsKnown) {
  VirtualTime time;
  ScriptedSession session(time, {.script =
                                     [](std::int64_t) {
                                       return TokenScript{{10 * kMs, 1}};
                                     },
                                 .fails = [](std::int64_t number) { return number % 2 == 1; }});
  const LoadResult result = run_load(session, request_of, {.concurrency = 1, .requests = 20}, time);
  for (std::size_t i = 1; i < result.requests.size(); ++i) {
    EXPECT_EQ(result.requests[i].scheduled_ns, result.requests[i - 1].ended_ns);
    EXPECT_EQ(result.requests[i].ended_ns - result.requests[i].sent_ns, 10 * kMs);
  }
  const Figures figures = figures_of(result.requests, {result.begin_ns, result.end_ns}, {});
  EXPECT_DOUBLE_EQ(value(figures, "mean_concurrency"), 1);
}

TEST_P(OpenLoad, ASignalEndsIt) {
  VirtualTime time;
  ScriptedSession session(time, {.script =
                                     [](std::int64_t) {
                                       return TokenScript{{10 * kMs, 1}};
                                     },
                                 .keeps_times = GetParam()});
  int made = 0;
  const RequestMaker make = [&](std::int64_t number) {
    if (++made == 20) set_interrupt_for_test(2);
    return request_of(number);
  };
  const LoadResult result = run_load(
      session, make, {.arrivals = Arrivals::kConstant, .rate_per_s = 100, .requests = 100}, time);
  set_interrupt_for_test(0);
  EXPECT_TRUE(result.interrupted);
  EXPECT_LE(result.requests.size(), 20);
}

TEST(Timing, TokensOfOneChunkAreNotSpreadOverTime) {
  RequestTiming r{.scheduled_ns = 1,
                  .sent_ns = 1,
                  .first_ns = 10 * kMs,
                  .last_ns = 30 * kMs,
                  .output_tokens = 5,
                  .chunks = {{10 * kMs, 1}, {30 * kMs, 4}},
                  .outcome = RequestOutcome::kDone};
  const std::vector<RequestTiming> requests = {r};
  const Figures figures = figures_of(requests, {0, kSecond}, {});
  EXPECT_DOUBLE_EQ(value(figures, "icl_ms_p50"), 20);  // one gap between two chunks
  EXPECT_DOUBLE_EQ(value(figures, "itl_ms_mean"), 5);  // four gaps between five tokens
  EXPECT_DOUBLE_EQ(value(figures, "itl_ms_p50"), 0);
  EXPECT_DOUBLE_EQ(value(figures, "tpot_ms_p50"), 5);
}

TEST(Timing, OneTokenHasNoTimePerToken) {
  const std::vector<RequestTiming> requests = {{.scheduled_ns = 1,
                                                .sent_ns = 1,
                                                .first_ns = 10 * kMs,
                                                .last_ns = 10 * kMs,
                                                .output_tokens = 1,
                                                .chunks = {{10 * kMs, 1}},
                                                .outcome = RequestOutcome::kDone}};
  const Figures figures = figures_of(requests, {0, kSecond}, {.tpot_ms = 1});
  EXPECT_FALSE(value_of(figures, "tpot_ms_p50"));
  EXPECT_FALSE(value_of(figures, "itl_ms_p50"));
  EXPECT_DOUBLE_EQ(value(figures, "slo_attainment"), 1);
}

TEST(Timing, RatesCountWhatWasVisibleInTheWindow) {
  const std::vector<RequestTiming> requests = {
      {.scheduled_ns = 0,
       .sent_ns = 1,
       .first_ns = 500 * kMs,
       .last_ns = 1500 * kMs,
       .input_tokens = 100,
       .output_tokens = 3,
       .chunks = {{500 * kMs, 1}, {1200 * kMs, 1}, {1500 * kMs, 1}},
       .outcome = RequestOutcome::kDone}};
  const Figures figures = figures_of(requests, {kSecond, 3 * kSecond}, {});
  EXPECT_EQ(figures.requests, 0);
  EXPECT_EQ(figures.outside, 1);
  EXPECT_DOUBLE_EQ(value(figures, "output_tokens_per_s"), 1);
  EXPECT_DOUBLE_EQ(value(figures, "input_tokens_per_s"), 0);
  EXPECT_DOUBLE_EQ(value(figures, "peak_output_tokens_per_s"), 2);
  EXPECT_DOUBLE_EQ(value(figures, "mean_concurrency"), 0.25);
}

TEST(Timing, AnUpperBoundIsOnlyGivenWhereThereAreValuesForIt) {
  Figures few;
  add_distribution(std::vector<double>(367, 1.0), "x", few);
  EXPECT_TRUE(few.within_run.at("x_p99").at("high").is_null());
  EXPECT_TRUE(few.within_run.at("x_p90").at("high").is_number());
  Figures many;
  add_distribution(std::vector<double>(368, 1.0), "x", many);
  EXPECT_TRUE(many.within_run.at("x_p99").at("high").is_number());
}

}  // namespace
}  // namespace assay::suites
