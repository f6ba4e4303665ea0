#include "suites/suite_bench.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "store/bench_values.h"
#include "suites/runner.h"
#include "tests/suites/bench/scripted_session.h"
#include "tests/support/instant_session.h"

namespace assay::suites {
namespace {

SuiteBench parse(const std::string& text) {
  const JsonSource source{"suite.jsonc", text};
  return parse_suite_bench(parse_jsonc(text, source.name), source);
}

TEST(SuiteBench, EveryKindOfLoadIsRead) {
  const SuiteBench bench = parse(R"({
    "reps": 3,
    "cases": [
      { "bench": "latency", "batch": [1, 8], "input": 64, "output": [8, 16], "iterations": 2 },
      { "bench": "throughput", "input": [32, 64], "requests": 4 },
      { "bench": "serve", "rate": [0.5, 2], "slo": { "ttft_ms": 500 } },
      { "bench": "serve", "concurrency": 4, "requests": 20 },
    ] })");
  EXPECT_EQ(bench.reps, 3);
  VirtualTime time;
  ScriptedSession session(time, {});
  const BenchTarget target{.session = &session, .clock = &time};
  std::vector<std::string> names;
  for (const BenchCase& c : suite_cases(target, bench)) names.push_back(c.name);
  EXPECT_EQ(names, (std::vector<std::string>{
                       "latency/batch:1/in:64/out:8", "latency/batch:1/in:64/out:16",
                       "latency/batch:8/in:64/out:8", "latency/batch:8/in:64/out:16",
                       "throughput/in:32/out:128/requests:4", "throughput/in:64/out:128/requests:4",
                       "serve/poisson/rate:0.5/in:128/out:64", "serve/poisson/rate:2/in:128/out:64",
                       "serve/closed/concurrency:4/in:128/out:64"}));
}

TEST(SuiteBench, MistakesAreErrorsWithTheirPlace) {
  for (const char* bad :
       {R"({ "cases": [] })", R"({})", R"({ "cases": [ { "bench": "speed" } ] })",
        R"({ "cases": [ { "bench": "latency", "bach": 1 } ] })",
        R"({ "cases": [ { "bench": "latency", "batch": 0 } ] })",
        R"({ "cases": [ { "bench": "latency", "batch": [] } ] })",
        R"({ "cases": [ { "bench": "latency", "min_time_s": -1 } ] })",
        R"({ "cases": [ { "bench": "serve" } ] })",
        R"({ "cases": [ { "bench": "serve", "arrivals": "closed" } ] })",
        R"({ "cases": [ { "bench": "serve", "arrivals": "burst" } ] })",
        R"({ "cases": [ { "bench": "serve", "rate": 0 } ] })",
        R"({ "cases": [ { "bench": "serve", "rate": 1, "slo": { "itl_ms": 1 } } ] })",
        R"({ "starts": 0, "cases": [ { "bench": "latency" } ] })",
        R"({ "reps": 0, "cases": [ { "bench": "latency" } ] })"}) {
    try {
      parse(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind("suite.jsonc:1:", 0), 0) << error.what();
    }
  }
}

// A suite of speed alone, in two settings: two finished runs with their cases, nothing asked; the
// same command measures anew.
TEST(SuiteBench, ASuiteOfSpeedAloneMakesFinishedRuns) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "bench_suite";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "speed.jsonc") << R"({
    "assay_suite": 1, "name": "speed", "model": "dummy:x", "settings": ["bf16", "fp8"],
    "bench": { "starts": 2, "reps": 2, "allowed_noise": 1e6, "allowed_drift": 1,
               "cases": [ { "bench": "throughput", "input": 4, "output": 2, "requests": 3,
                            "min_time_s": 0 } ] } })";
  const Suite suite = load_suite(folder / "speed.jsonc");
  EXPECT_TRUE(suite.tasks.empty());
  store::Store store = store::Store::open(folder / "speed.db", store::OpenMode::kCreate);
  RunnerOptions options;
  int opened = 0;
  options.make_session = [&](const engine::EngineOptions& engine) {
    EXPECT_FALSE(engine.prefix_cache);
    ++opened;
    return std::make_unique<test::InstantSession>();
  };
  const auto reports = run_suite(suite, store, options);
  ASSERT_EQ(reports.size(), 2);
  EXPECT_EQ(opened, 4);  // two starts each
  for (const RunReport& report : reports) {
    const store::RunRecord run = store.load_run(report.run);
    EXPECT_EQ(run.status, store::RunStatus::kDone);
    const auto cases = store.load_bench(run.row);
    ASSERT_EQ(cases.size(), 1);
    EXPECT_EQ(cases[0].name, "throughput/in:4/out:2/requests:3");
    EXPECT_EQ(cases[0].reps.size(), 4);
    EXPECT_EQ(store::start_of(cases[0].reps[3]), 1);
  }
  EXPECT_NE(run_suite(suite, store, options)[0].run, reports[0].run);
  EXPECT_EQ(store.list_runs().size(), 4);

  // What several processes hold is not made anew.
  opened = 0;
  options.restarts = false;
  const auto once = run_suite(suite, store, options);
  EXPECT_EQ(opened, 2);
  EXPECT_EQ(store.load_bench(store.load_run(once[0].run).row).at(0).reps.size(), 2);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace assay::suites
