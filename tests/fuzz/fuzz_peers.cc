// Any bytes as another tool's result or as a file of lengths: read or refused with Error, and what
// is read has finite times and goes through the figures and back out as Google Benchmark's JSON.
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "suites/bench/google.h"
#include "suites/bench/measure.h"
#include "suites/bench/peers.h"
#include "suites/bench/workload.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"([{"model_filename": "m", "n_prompt": 8, "n_gen": 0, "samples_ns": [1000, 2000]}])",
      R"({"pp": 8, "tg": 32, "pl": 8, "speed_pp": 1.0, "t_tg": 1.6, "speed_tg": 160.0, "t": 2.1})",
      R"({"total_token_throughput": 1.0, "start_times": [1.0, 2.0], "ttfts": [0.1, 0.1],
          "latencies": [0.3, 0.3], "itls": [[0.1], [0.2]], "input_lens": [1, 1],
          "output_lens": [2, 2], "queue_times": [0.0, 0.1], "errors": ["", "x"]})",
      R"({"total_token_throughput": 1.0, "median_ttft_ms": 5, "request_rate": "inf"})",
      R"({"avg_latency": 0.2, "latencies": [0.1, 0.3]})",
      R"({"elapsed_time": 4.0, "requests_per_second": 2.0, "tokens_per_second": 200.0})",
      R"({"benchmarks": [{"name": "a", "run_type": "iteration", "iterations": 3, "real_time": 2.5,
          "cpu_time": 1, "time_unit": "ms", "flop/s": 1e9, "more": 1}]})",
      "{\"input\": 512, \"output\": 128}\n\n{\"input\": 1, \"output\": 16777216}\n",
  };
}

namespace {

void check_lengths(const std::string& text) {
  static const InputFolder kFolder;
  const std::filesystem::path path = kFolder.file("lengths.jsonl", text);
  accepted([&] {
    for (const suites::RequestLength& length : suites::read_lengths(path)) {
      ASSAY_CHECK(length.input >= 1 && length.output >= 1, "tokens");
    }
  });
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  fuzz::check_lengths(fuzz::text_of(data, size));
  try {
    const suites::PeerResult peer =
        suites::read_peer({reinterpret_cast<const char*>(data), size}, "fuzz");
    for (const store::BenchCaseRecord& bench : peer.cases) {
      for (const suites::CaseFigure& figure : suites::figures_of(bench)) {
        ASSAY_CHECK(!std::isnan(figure.mean), "a figure that is none");
      }
      for (const store::BenchRepRecord& rep : bench.reps) {
        ASSAY_CHECK(rep.duration_ns >= 0, "a negative time");
      }
    }
    const Json document = suites::google_json(peer.cases, Json(Json::Object{}));
    const auto again = suites::read_google(parse_json(document.dump(), "again"), "again");
    ASSAY_CHECK(again.size() <= peer.cases.size(), "cases out of nothing");
  } catch (const Error&) {
    // Refused.
  }
  return 0;
}
