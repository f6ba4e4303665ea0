// The JSON reader and writer on documents like those that go over the wire and into the store.
#include <benchmark/benchmark.h>

#include <string>

#include "base/json.h"

namespace assay {
namespace {

/// One event of a stream, as servers send for each token.
const std::string kEvent =
    R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"m",)"
    R"("choices":[{"index":0,"text":" hello","logprobs":null,"finish_reason":null}]})";

/// A list of `count` records with text, numbers and nested lists.
std::string document(std::int64_t count) {
  Json out{Json::Array{}};
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(Json::Object{{"key", "task/test/" + std::to_string(i)},
                               {"text", "a line with \"quotes\" and a\ttab " + std::to_string(i)},
                               {"value", static_cast<double>(i) / 7},
                               {"ids", Json::Array{i, i + 1, i + 2, i + 3}}});
  }
  return out.dump();
}

void parse(benchmark::State& state, const std::string& text) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_json(text, "bench"));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK_CAPTURE(parse, event, kEvent)->Name("BM_json/parse/stream_event");
BENCHMARK_CAPTURE(parse, records, document(1000))->Name("BM_json/parse/1000_records");

void dump(benchmark::State& state) {
  const Json json = parse_json(document(1000), "bench");
  std::size_t bytes = 0;
  for (auto _ : state) bytes += json.dump().size();
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(dump)->Name("BM_json/dump/1000_records");

}  // namespace
}  // namespace assay

BENCHMARK_MAIN();
