// Whole benchmarks over a session whose times are known: names, values, bounds, rows of the store.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "store/bench_values.h"
#include "suites/bench/bound.h"
#include "suites/bench/google.h"
#include "suites/bench/latency.h"
#include "suites/bench/record.h"
#include "suites/bench/serve.h"
#include "suites/bench/throughput.h"
#include "tests/suites/bench/scripted_session.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// 10 ms to the first token, 2 ms to each further one.
TokenScript even_script(std::int64_t tokens) {
  TokenScript out;
  for (std::int64_t t = 0; t < tokens; ++t) out.emplace_back((10 + 2 * t) * kMs, 1);
  return out;
}

class Cases : public testing::Test {
 protected:
  void open(ScriptedServer server) {
    session_ = std::make_unique<ScriptedSession>(time_, std::move(server));
    target_ = {.session = session_.get(), .clock = &time_, .seed = 1};
  }
  Measured measure(const std::vector<BenchCase>& cases, std::int64_t reps) {
    MeasureOptions options{.reps = reps};
    options.noise = {.foreign_cores = 1e9, .stolen_share = 2};  // whoever else is here
    return measure_cases(cases, options);
  }
  static double mean(const store::BenchCaseRecord& bench, const std::string& metric) {
    for (const CaseFigure& figure : figures_of(bench)) {
      if (figure.metric == metric) return figure.mean;
    }
    ADD_FAILURE() << bench.name << " has no " << metric;
    return NAN;
  }

  VirtualTime time_;
  std::unique_ptr<ScriptedSession> session_;
  BenchTarget target_;
};

TEST_F(Cases, LatencyHasOneCaseForEachPointOfTheGrid) {
  open({.script = [](std::int64_t) { return even_script(5); }});
  const Measured measured =
      measure(latency_cases(target_, {.batches = {1, 4}, .inputs = {16, 32}, .outputs = {5}}), 3);
  ASSERT_EQ(measured.cases.size(), 4);
  EXPECT_EQ(measured.cases[3].name, "latency/batch:4/in:32/out:5");
  for (const store::BenchCaseRecord& bench : measured.cases) {
    ASSERT_EQ(bench.reps.size(), 3);
    EXPECT_DOUBLE_EQ(mean(bench, "ttft_ms_p50"), 10);
    EXPECT_DOUBLE_EQ(mean(bench, "tpot_ms_p99"), 2);
    EXPECT_DOUBLE_EQ(mean(bench, "e2e_ms_p90"), 18);
    const Json& warm_up = bench.reps.front().detail.at("warm_up");
    EXPECT_TRUE(warm_up.at("steady").as_bool());
  }
  // Forward, backward, forward: drift of the machine is no effect of a case.
  EXPECT_EQ(measured.cases[0].reps[0].order_index, 0);
  EXPECT_EQ(measured.cases[0].reps[1].order_index, 7);
  EXPECT_EQ(measured.cases[0].reps[2].order_index, 8);
}

TEST_F(Cases, WarmUpEndsWhenTimesAreSteady) {
  open({.script = [](std::int64_t number) {
    TokenScript out = even_script(2);
    for (auto& [at, tokens] : out) at *= number < 6 ? 8 - number : 1;  // a cold start
    return out;
  }});
  const Json warm_up = warm_up_bursts(target_, "case", {{.input = 4, .output = 2}}, 1, 1000);
  EXPECT_TRUE(warm_up.at("steady").as_bool());
  EXPECT_GE(warm_up.at("left_out").as_int(), 4);
  EXPECT_LT(warm_up.at("loads").as_int(), 40);
}

TEST_F(Cases, ThroughputCountsTokensOverTheWholeBurst) {
  open({.script = [](std::int64_t) { return even_script(6); }, .slots = 2});
  ThroughputOptions options{.loads = {{{.input = 8, .output = 6}}}, .requests = 10};
  const Measured measured = measure(throughput_cases(target_, options), 2);
  // Five rounds of two requests of 20 ms each, and the nanosecond that closes the window.
  EXPECT_NEAR(mean(measured.cases[0], "output_tokens_per_s"), 600, 1e-3);
  EXPECT_NEAR(mean(measured.cases[0], "input_tokens_per_s"), 800, 1e-3);
}

TEST_F(Cases, BoundsFollowFromProductsAndWeights) {
  const StepCost cost{.body_flops = 200, .head_flops = 50, .weight_bytes = 1000, .max_batch = 4};
  const engine::Roofline roofline{.read_bytes_per_s = 500, .bf16_flops_per_s = 100};
  EXPECT_DOUBLE_EQ(least_step_s(cost, roofline, 1), 2.5);  // arithmetic
  EXPECT_DOUBLE_EQ(least_first_token_s(cost, roofline, 1, 8), 16.5);
  const engine::Roofline fast{.read_bytes_per_s = 500, .bf16_flops_per_s = 1e9};
  EXPECT_DOUBLE_EQ(least_step_s(cost, fast, 4), 2);  // memory
  // 20 tokens in steps of at most 4 are at least 5 steps.
  EXPECT_DOUBLE_EQ(
      least_offline_s(cost, fast, {.input_tokens = 5, .output_tokens = 20, .longest_output = 3}),
      10);
}

TEST_F(Cases, ServeMeasuresTheMiddleAndSaysWhatItLeftOut) {
  open({.script = [](std::int64_t) { return even_script(3); }});
  ServeOptions options{.rates = {50}, .duration_s = 20};
  options.slo.ttft_ms = 11;
  const Measured measured = measure(serve_cases(target_, options), 2);
  const store::BenchCaseRecord& bench = measured.cases[0];
  EXPECT_EQ(bench.name, "serve/poisson/rate:50/in:128/out:64");
  EXPECT_GE(bench.reps[0].detail.at("left_out").as_int(), 100);
  EXPECT_NEAR(bench.reps[0].detail.at("window_begin_ns").as_double(), 5e9, 1);
  EXPECT_DOUBLE_EQ(mean(bench, "ttft_arrival_ms_p99"), 10);
  EXPECT_DOUBLE_EQ(mean(bench, "slo_attainment"), 1);
  EXPECT_NEAR(mean(bench, "goodput_requests_per_s"), mean(bench, "arrived_requests_per_s"), 1e-9);
  EXPECT_NE(bench.reps[0].values, bench.reps[1].values);  // another schedule in each repetition
}

TEST_F(Cases, ASweepFindsWhatTheServerCarries) {
  // One slot, 14 ms a request: a constant rate of 71 a second is carried, not more.
  open({.script = [](std::int64_t) { return even_script(3); }, .slots = 1});
  ServeOptions options{.arrivals = Arrivals::kConstant, .duration_s = 30};
  const double peak = peak_rate(1, 0.02, [&](double rate) {
    options.rates = {rate};
    const Measured one = measure(serve_cases(target_, options), 1);
    const store::BenchRepRecord& rep = one.cases[0].reps[0];
    return carried({.values = rep.values, .detail = rep.detail}, options, rate);
  });
  EXPECT_GT(peak, 69);
  EXPECT_LT(peak, 1.06 * 1000 / 14);
}

TEST(PeakRate, BisectsBetweenAcceptedAndRefused) {
  int asked = 0;
  const auto below = [&](double limit) {
    return [&asked, limit](double rate) {
      ++asked;
      return rate <= limit;
    };
  };
  EXPECT_NEAR(peak_rate(1, 0.01, below(37)), 37, 0.4);
  EXPECT_LT(asked, 20);
  EXPECT_NEAR(peak_rate(1, 0.1, below(0.2)), 0.2, 0.02);
  EXPECT_EQ(peak_rate(1, 0.1, below(0)), 0);
  asked = 0;
  EXPECT_GT(peak_rate(1, 0.1, below(1e30)), 1e9);
  EXPECT_EQ(asked, 40);
}

// Server scenario: p99 by the rule for short runs. 459 requests within the limit show it, 458 do
// not.
TEST(Mlperf, AServerRunNeedsEnoughRequestsWithinTheLimit) {
  const auto run = [](int within, int over) {
    LoadResult load{.begin_ns = 1};
    for (int i = 0; i < within + over; ++i) {
      const std::int64_t at = 1 + i * 10 * kMs;
      const std::int64_t ttft = i < within ? 50 * kMs : 500 * kMs;
      load.requests.push_back({.scheduled_ns = at,
                               .sent_ns = at,
                               .first_ns = at + ttft,
                               .last_ns = at + ttft,
                               .output_tokens = 1,
                               .outcome = RequestOutcome::kDone});
      load.last_start_ns = at;
    }
    return judge_mlperf(Scenario::kServer, load, {.min_duration_s = 1, .ttft_ms = 100});
  };
  EXPECT_TRUE(run(459, 0).valid);
  EXPECT_FALSE(run(458, 0).valid);
  EXPECT_TRUE(run(661, 1).valid);
  EXPECT_FALSE(run(660, 1).valid);
  ASSERT_EQ(run(458, 0).reasons.size(), 1);
  EXPECT_NE(run(458, 0).reasons[0].find("1 more within it"), std::string::npos);
}

TEST(Mlperf, ShortRunsAreInvalidWithTheReason) {
  LoadResult load{.begin_ns = 0, .last_start_ns = 0};
  load.requests.assign(
      3,
      {.first_ns = kMs, .last_ns = 2 * kMs, .output_tokens = 4, .outcome = RequestOutcome::kDone});
  const MlperfResult offline = judge_mlperf(Scenario::kOffline, load, {});
  EXPECT_FALSE(offline.valid);
  EXPECT_EQ(offline.reasons.size(), 2);
  EXPECT_FALSE(judge_mlperf(Scenario::kSingleStream, load, {.min_duration_s = 0}).valid);
  EXPECT_THROW(find_mlperf_limits("llama2-7b"), Error);
  EXPECT_EQ(find_mlperf_limits("llama2-70b-server").ttft_ms, 2000);
}

TEST(Mlperf, PercentilesAreLoadgens) {
  std::vector<double> values;
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  EXPECT_EQ(loadgen_percentile(values, 0.99), 100);  // sorted[99]: the largest
  EXPECT_EQ(loadgen_percentile(values, 0.5), 51);
}

TEST(Workload, PromptsAreAFunctionOfSeedStreamAndIndex) {
  const Workload a{.lengths = {{.input = 9, .output = 3}}, .vocabulary = {5, 100}, .seed = 1};
  Workload b = a;
  EXPECT_EQ(request_of(a, 7).prompt.ids, request_of(b, 7).prompt.ids);
  EXPECT_NE(request_of(a, 7).prompt.ids, request_of(a, 8).prompt.ids);
  b.stream = 1;
  EXPECT_NE(request_of(a, 7).prompt.ids, request_of(b, 7).prompt.ids);
  EXPECT_EQ(request_of(a, 7).prompt.ids.size(), 9);
  EXPECT_EQ(request_of(a, 7).sampling.max_tokens, 3);
  for (const engine::TokenId id : request_of(a, 7).prompt.ids) {
    EXPECT_GE(id, 5);
    EXPECT_LT(id, 105);
  }
}

TEST(Workload, LengthsAreReadAndDrawn) {
  const auto file = std::filesystem::path(testing::TempDir()) / "lengths.jsonl";
  std::ofstream(file) << "{\"input\": 10, \"output\": 1}\n\n{\"input\": 20, \"output\": 2}\n";
  const auto lengths = read_lengths(file);
  ASSERT_EQ(lengths.size(), 2);
  const Workload drawn{.lengths = lengths, .vocabulary = {0, 10}, .seed = 2};
  int longer = 0;
  for (int i = 0; i < 1000; ++i) longer += length_of(drawn, i).input == 20 ? 1 : 0;
  EXPECT_NEAR(longer, 500, 80);
  for (const char* bad : {"", "{\"input\": 10}\n", "{\"input\": 0, \"output\": 1}\n", "[]\n",
                          "{\"input\": 1, \"output\": 1, \"more\": 1}\n"}) {
    std::ofstream(file) << bad;
    EXPECT_THROW(read_lengths(file), Error) << bad;
  }
}

// Three starts of two repetitions, each start slower than the one before: the interval is that of
// the three means, whatever their repetitions agree on.
TEST_F(Cases, IntervalsCountStarts) {
  open({});
  std::vector<std::int64_t> seen;
  int restarts = 0;
  int warm_ups = 0;
  BenchCase bench{.name = "x", .kind = "latency", .params = Json(Json::Object{})};
  bench.warm_up = [&] {
    ++warm_ups;
    return Json(Json::Object{});
  };
  bench.measure = [&](std::int64_t rep) {
    seen.push_back(rep);
    RepOutcome out;
    out.values.emplace_back("tpot_ms_p50", 10.0 * (restarts + 1) + static_cast<double>(rep % 2));
    if (rep == 5) out.invalid_reason = "noisy";
    return out;
  };
  MeasureOptions options{.starts = 3, .reps = 2, .restart = [&] { ++restarts; }};
  options.noise = {.foreign_cores = 1e9, .stolen_share = 2};
  const Measured measured = measure_cases({bench}, options);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(restarts, 2);
  EXPECT_EQ(warm_ups, 3);
  ASSERT_EQ(measured.cases.at(0).reps.size(), 6);
  EXPECT_EQ(store::start_of(measured.cases[0].reps[4]), 2);
  const CaseFigure figure = figures_of(measured.cases[0]).at(0);
  EXPECT_EQ(figure.reps, 5);
  EXPECT_EQ(figure.starts, 3);
  EXPECT_DOUBLE_EQ(figure.mean, (10.5 + 20.5 + 30) / 3);
  EXPECT_DOUBLE_EQ(figure.median, 20.5);
  // s = 9.7511 of 10.5, 20.5, 30; t(0.975, 2) = 4.30265.
  ASSERT_TRUE(figure.interval);
  EXPECT_NEAR(figure.interval->high - figure.mean, 4.30265 * 9.7511 / std::sqrt(3.0), 1e-3);
}

// A quiet machine by construction: starts and repetitions vary as they do here (bench.md), and
// nothing moves from one run to the next. The truth lies in 95 % of the intervals, and nearly every
// pair of runs agrees.
TEST(RepeatedRuns, OfAQuietMachineAgreeWithinTheirIntervals) {
  constexpr int kRuns = 4000;
  SplitMix64 random(20261127);
  const auto normal = [&] {
    const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
    return radius * std::cos(6.283185307179586 * random.uniform());
  };
  int covered = 0;
  int agree = 0;
  Interval before;
  for (int run = 0; run < kRuns; ++run) {
    store::BenchCaseRecord bench;
    for (int start = 0; start < 5; ++start) {
      const double level = 25 * (1 + 0.08 * normal());
      for (int rep = 0; rep < 3; ++rep) {
        store::BenchRepRecord record{.detail = Json(Json::Object{{"start", start}})};
        record.values.emplace_back("tpot_ms_p50", level * (1 + 0.05 * normal()));
        bench.reps.push_back(std::move(record));
      }
    }
    const Interval interval = figures_of(bench).at(0).interval.value();
    covered += interval.low <= 25 && 25 <= interval.high;
    agree += run > 0 && interval.low <= before.high && before.low <= interval.high;
    before = interval;
  }
  EXPECT_NEAR(static_cast<double>(covered) / kRuns, 0.95, 0.011);  // 3 standard errors
  EXPECT_GT(static_cast<double>(agree) / (kRuns - 1), 0.985);
}

/// Repetitions of one case around which the machine has these speeds, one after the other.
class Drift : public testing::Test {
 protected:
  Measured measure(std::vector<double> read_speeds, std::int64_t reps) {
    BenchCase bench{.name = "x", .kind = "latency", .params = Json(Json::Object{})};
    bench.measure = [](std::int64_t rep) {
      RepOutcome out;
      out.values.emplace_back("tpot_ms_p50", static_cast<double>(rep));
      return out;
    };
    MeasureOptions options{.reps = reps};
    options.noise = {.foreign_cores = 1e9, .stolen_share = 2};
    options.machine_speed = [next = std::size_t{0}, read_speeds]() mutable {
      return MachineSpeed{
          .read_bytes_per_s = read_speeds.at(next++), .flops_per_s = 1, .loops_per_s = 1};
    };
    return measure_cases({bench}, options);
  }
};

TEST_F(Drift, ARepetitionOnAnotherMachineIsLeftOutAndMadeAgain) {
  const Measured measured = measure({10, 10, 10.5, 16, 10, 9.8, 9.9, 10.1}, 3);
  const store::BenchCaseRecord& bench = measured.cases.at(0);
  ASSERT_EQ(bench.reps.size(), 4);
  EXPECT_EQ(bench.reps[1].invalid_reason,
            "the machine was not as usual in this run: memory is read at 160 %");
  for (const std::size_t good : {0U, 2U, 3U})
    EXPECT_EQ(bench.reps[good].invalid_reason, "") << good;
  EXPECT_EQ(figures_of(bench).at(0).reps, 3);
  EXPECT_EQ(measured.remarks.at(0),
            "x: 1 of 4 repetitions left out: the machine was not as usual in this run: memory is "
            "read at 160 %");
}

// The first repetitions are not what the machine mostly was: that turns out later.
TEST_F(Drift, WhatIsUsualIsDecidedByTheWholeRun) {
  const Measured measured = measure({16, 16, 10, 10, 10, 10, 10, 10}, 4);
  const store::BenchCaseRecord& bench = measured.cases.at(0);
  ASSERT_EQ(bench.reps.size(), 4);
  EXPECT_NE(bench.reps[0].invalid_reason, "");
  EXPECT_EQ(bench.reps[1].invalid_reason, "");
  EXPECT_EQ(figures_of(bench).at(0).reps, 3);
}

TEST_F(Drift, AMachineWithoutRestEnds) {
  std::vector<double> speeds;
  for (int i = 0; i < 12; ++i) speeds.push_back(i % 2 == 0 ? 10 : 20);
  const Measured measured = measure(speeds, 3);
  EXPECT_EQ(measured.cases.at(0).reps.size(), 6);  // twice what was asked for, and no more
  EXPECT_TRUE(figures_of(measured.cases[0]).empty());
}

TEST_F(Cases, ResultsComeBackFromTheStore) {
  open({.script = [](std::int64_t) { return even_script(5); }});
  Measured measured = measure(latency_cases(target_, {}), 4);
  measured.cases.push_back(roofline_case({.device = "cpu", .threads = 2, .read_bytes_per_s = 7}));
  const auto file = std::filesystem::path(testing::TempDir()) / "bench_cases.db";
  std::filesystem::remove(file);
  BenchRun run{.suite = "bench latency", .definition = Json(Json::Object{})};
  describe_model(session_->info(), run);
  std::string name;
  {
    store::Store store = store::Store::open(file, store::OpenMode::kCreate);
    name = store_bench(store, run, measured);
  }
  const store::Store store = store::Store::open(file, store::OpenMode::kReadOnly);
  const store::RunRecord stored = store.load_run(name);
  EXPECT_EQ(stored.status, store::RunStatus::kDone);
  EXPECT_EQ(stored.suite_name, "bench latency");
  EXPECT_TRUE(stored.peak_memory_bytes);
  const auto cases = store.load_bench(stored.row);
  ASSERT_EQ(cases.size(), 2);
  EXPECT_EQ(cases[0].params.dump_canonical(), measured.cases[0].params.dump_canonical());
  EXPECT_DOUBLE_EQ(mean(cases[0], "tpot_ms_p50"), 2);
  EXPECT_DOUBLE_EQ(mean(cases[1], "read_bytes_per_s"), 7);
  const Json json = case_json(name, cases[0]);
  EXPECT_EQ(json.at("metrics").at("tpot_ms_p50").at("reps").as_int(), 4);
  EXPECT_TRUE(json.at("metrics").at("tpot_ms_p50").at("ci95").is_array());
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace assay::suites
