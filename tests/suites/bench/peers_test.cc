// Results of other tools. The texts are shortened from what the tools of the named versions write;
// numbers are made up so that every figure is plain.
#include "suites/bench/peers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "suites/bench/google.h"
#include "suites/bench/measure.h"

namespace assay::suites {
namespace {

double value(const store::BenchCaseRecord& bench, const std::string& metric) {
  for (const CaseFigure& figure : figures_of(bench)) {
    if (figure.metric == metric) return figure.mean;
  }
  return NAN;
}

// llama.cpp b6700, llama-bench -o json -p 512 -n 0 -r 2 and -p 0 -n 128.
const char* const kLlamaBench = R"([
  {"build_commit": "abc", "cpu_info": "AMD EPYC", "gpu_info": "", "model_filename": "x/m.gguf",
   "n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ns": 3000000000, "avg_ts": 170.6,
   "samples_ns": [ 2000000000, 4000000000 ], "samples_ts": [ 256.0, 128.0 ]},
  {"build_commit": "abc", "cpu_info": "AMD EPYC", "gpu_info": "", "model_filename": "x/m.gguf",
   "n_prompt": 0, "n_gen": 128, "n_depth": 0, "samples_ns": [ 6400000000 ],
   "samples_ts": [ 20.0 ]}
])";

TEST(Peers, LlamaBenchKeepsEverySample) {
  const PeerResult peer = read_peer(kLlamaBench, "llama.json");
  EXPECT_EQ(peer.tool, "llama-bench");
  EXPECT_EQ(peer.model, "m.gguf");
  EXPECT_EQ(peer.machine, "AMD EPYC");
  ASSERT_EQ(peer.cases.size(), 2);
  EXPECT_EQ(peer.cases[0].name, "llama-bench/pp:512/tg:0");
  ASSERT_EQ(peer.cases[0].reps.size(), 2);
  EXPECT_DOUBLE_EQ(value(peer.cases[0], "input_tokens_per_s"), (256.0 + 128.0) / 2);
  EXPECT_DOUBLE_EQ(value(peer.cases[1], "output_tokens_per_s"), 20);
  EXPECT_DOUBLE_EQ(value(peer.cases[1], "tpot_ms_mean"), 50);
}

TEST(Peers, LinesOfBatchedBenchAreCases) {
  const PeerResult peer = read_peer(
      "main: n_kv_max = 1024\n"
      "{\"pp\": 8, \"tg\": 32, \"pl\": 8, \"t_pp\": 0.5, \"speed_pp\": 128.0, \"t_tg\": 1.6, "
      "\"speed_tg\": 160.0, \"t\": 2.1, \"speed\": 152.0}\n",
      "batched");
  ASSERT_EQ(peer.cases.size(), 1);
  EXPECT_EQ(peer.cases[0].name, "llama-batched-bench/pp:8/tg:32/sequences:8");
  EXPECT_DOUBLE_EQ(value(peer.cases[0], "tpot_ms_mean"), 50);
}

TEST(Peers, VllmsItlIsTheGapBetweenChunks) {
  const PeerResult peer = read_peer(
      R"({"backend": "vllm", "model_id": "m", "num_prompts": 2, "request_rate": "inf",
          "max_concurrency": 8, "duration": 2.0, "total_token_throughput": 30.0,
          "output_throughput": 10.0, "median_itl_ms": 5.0, "p99_e2el_ms": 90.0,
          "median_tpot_ms": 4.0})",
      "vllm.json");
  EXPECT_EQ(peer.tool, "vllm bench serve");
  ASSERT_EQ(peer.cases.size(), 1);
  EXPECT_EQ(peer.cases[0].name, "serve/vllm/rate:inf/concurrency:8");
  EXPECT_DOUBLE_EQ(value(peer.cases[0], "icl_ms_p50"), 5);
  EXPECT_TRUE(std::isnan(value(peer.cases[0], "itl_ms_p50")));
  EXPECT_DOUBLE_EQ(value(peer.cases[0], "e2e_ms_p99"), 90);
}

// With the times of single requests every figure is this program's own definition. The second
// request waited 0.1 s in the client.
TEST(Peers, VllmsDetailedTimesAreMeasuredAgain) {
  const PeerResult peer = read_peer(
      R"({"model_id": "m", "request_rate": 2.0, "duration": 2.0, "total_token_throughput": 1.0,
          "start_times": [100.0, 100.6], "ttfts": [0.05, 0.15], "latencies": [0.25, 0.35],
          "itls": [[0.1, 0.1], [0.2]], "queue_times": [0.0, 0.1], "input_lens": [10, 10],
          "output_lens": [3, 4], "errors": ["", ""]})",
      "vllm.json");
  const store::BenchCaseRecord& bench = peer.cases.at(0);
  EXPECT_NEAR(value(bench, "ttft_ms_p50"), 50, 1e-3);
  EXPECT_NEAR(value(bench, "ttft_arrival_ms_p99"), 250, 1e-3);
  EXPECT_NEAR(value(bench, "tpot_ms_p50"), 200.0 / 3, 1e-3);
  EXPECT_NEAR(value(bench, "icl_ms_p99"), 200, 1e-3);
  EXPECT_NEAR(value(bench, "itl_ms_p50"), 100, 1e-3);  // 0 0 100 100 200
}

TEST(Peers, VllmsOtherToolsAreRead) {
  const PeerResult latency =
      read_peer(R"({"avg_latency": 0.2, "latencies": [0.1, 0.3], "percentiles": {}})", "l");
  EXPECT_DOUBLE_EQ(value(latency.cases.at(0), "e2e_ms_p50"), 200);
  const PeerResult throughput = read_peer(
      R"({"elapsed_time": 4.0, "num_requests": 8, "total_num_tokens": 800,
          "requests_per_second": 2.0, "tokens_per_second": 200.0})",
      "t");
  EXPECT_DOUBLE_EQ(value(throughput.cases.at(0), "total_tokens_per_s"), 200);
}

// Debian's Google Benchmark 1.7.1 with --benchmark_repetitions=2.
const char* const kGoogle = R"({
  "context": {"date": "2026-11-26", "num_cpus": 2, "library_build_type": "release"},
  "benchmarks": [
    {"name": "BM_x/8", "run_name": "BM_x/8", "run_type": "iteration", "repetitions": 2,
     "repetition_index": 0, "threads": 1, "iterations": 1000, "real_time": 2.0, "cpu_time": 1.5,
     "time_unit": "us", "bytes_per_second": 4e9, "flop/s": 1e10},
    {"name": "BM_x/8", "run_name": "BM_x/8", "run_type": "iteration", "repetitions": 2,
     "repetition_index": 1, "threads": 1, "iterations": 1000, "real_time": 4.0, "cpu_time": 1.5,
     "time_unit": "us", "bytes_per_second": 2e9, "flop/s": 5e9},
    {"name": "BM_x/8_mean", "run_name": "BM_x/8", "run_type": "aggregate",
     "aggregate_name": "mean", "real_time": 3.0, "cpu_time": 1.5, "time_unit": "us"},
    {"name": "BM_gpu/cuda/1", "run_name": "BM_gpu/cuda/1", "run_type": "iteration",
     "error_occurred": true, "error_message": "no GPU", "real_time": 0, "cpu_time": 0,
     "time_unit": "ns"}]})";

TEST(Google, RepetitionsAreReadAndAggregatesAreNot) {
  const auto cases = read_google(parse_json(kGoogle, "g"), "g");
  ASSERT_EQ(cases.size(), 2);
  ASSERT_EQ(cases[0].reps.size(), 2);
  EXPECT_DOUBLE_EQ(value(cases[0], "time_ns"), 3000);
  EXPECT_DOUBLE_EQ(value(cases[0], "bytes_per_s"), 3e9);
  EXPECT_DOUBLE_EQ(value(cases[0], "flops_per_s"), 7.5e9);
  EXPECT_EQ(cases[1].reps[0].invalid_reason, "no GPU");
}

TEST(Google, WhatIsWrittenReadsBackTheSame) {
  const auto cases = read_google(parse_json(kGoogle, "g"), "g");
  const Json written = google_json(cases, Json(Json::Object{}));
  const auto again = read_google(parse_json(written.dump(), "w"), "w");
  ASSERT_EQ(again.size(), cases.size());
  EXPECT_EQ(again[0].reps[1].values, cases[0].reps[1].values);
  EXPECT_EQ(again[1].reps[0].invalid_reason, "no GPU");
}

TEST(Google, SharesAreOfTheMatchingBound) {
  auto cases = read_google(parse_json(kGoogle, "g"), "g");
  add_roofline_shares(
      cases, {{.device = "cpu", .threads = 2, .read_bytes_per_s = 1},
              {.device = "cpu", .threads = 1, .read_bytes_per_s = 8e9, .bf16_flops_per_s = 1e11}});
  EXPECT_DOUBLE_EQ(value(cases[0], "share_of_roofline"), (0.5 + 0.25) / 2);
}

TEST(Peers, AnythingElseIsRefusedInOneLine) {
  for (const char* bad :
       {"", "{}", "[]", "[1]", "text", "{\"benchmarks\": 3}", "{\"benchmarks\": [1]}",
        "[{\"samples_ns\": [0]}]", "[{\"samples_ns\": \"x\"}]",
        "{\"avg_latency\": 1, \"latencies\": [\"x\"]}",
        "{\"total_token_throughput\": 1, \"start_times\": [1], \"ttfts\": [], \"latencies\": [], "
        "\"itls\": [], \"input_lens\": [], \"output_lens\": []}",
        "{\"total_token_throughput\": 1, \"start_times\": [1], \"ttfts\": [1e15], "
        "\"latencies\": [1], \"itls\": [[]], \"input_lens\": [1], \"output_lens\": [1]}"}) {
    EXPECT_THROW(read_peer(bad, "bad.json"), Error) << bad;
  }
}

// A file that was cut anywhere, or with a byte changed, is read or refused, never more.
TEST(Peers, DamagedFilesDoNoHarm) {
  for (const char* original : {kLlamaBench, kGoogle}) {
    const std::string text = original;
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = changed[i] == '1' ? '-' : '1';
      for (const std::string& damaged : {text.substr(0, i), changed}) {
        try {
          (void)read_peer(damaged, "damaged");
        } catch (const Error&) {
        }
      }
    }
  }
}

}  // namespace
}  // namespace assay::suites
