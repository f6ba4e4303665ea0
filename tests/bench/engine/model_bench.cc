// Decode and prefill of the built-in engine in the shape of Llama 3.2 1B, random weights, and the
// read bandwidth of this machine in the same run. Speeds do not depend on the weights' values.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/generator.h"
#include "engine/ops/memory.h"
#include "engine/roofline.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 2;
constexpr std::int64_t kDecodeTokens = 32;

/// One model at a time is held: two would not fit small machines.
Generator& model(const std::string& precision) {
  static std::string loaded;
  static std::unique_ptr<Generator> generator;
  if (loaded != precision) {
    generator.reset();
    generator = make_generator({.model = "dummy:llama-3.2-1b",
                                .precision = precision,
                                .threads = kThreads,
                                .max_batch = 8,
                                .max_context = 1024,
                                .prefix_cache = false});
    loaded = precision;
  }
  return *generator;
}

/// Seconds from the first to the last token of `sequences` equal requests, slowest first token to
/// last token; or, for one token, from sending to the first.
double run_once(Generator& generator, std::int64_t sequences, std::int64_t prompt,
                std::int64_t tokens) {
  std::vector<Request> requests(static_cast<std::size_t>(sequences));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].prompt.form = PromptInput::Form::kIds;
    for (std::int64_t t = 0; t < prompt; ++t) {
      requests[i].prompt.ids.push_back(
          static_cast<TokenId>((t * 7919 + static_cast<std::int64_t>(i) * 31) % 128000));
    }
    requests[i].sampling.max_tokens = tokens;
    requests[i].sampling.ignore_eos = true;
  }
  std::int64_t sent = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
  generator.run(requests, [&](std::size_t, const Completion& completion) {
    sent = sent == 0 ? completion.times.sent_ns : std::min(sent, completion.times.sent_ns);
    first = std::max(first, completion.times.first_ns);
    last = std::max(last, completion.times.last_ns);
    return completion.error.empty();
  });
  return static_cast<double>(tokens == 1 ? first - sent : last - first) * 1e-9;
}

void decode(benchmark::State& state, const std::string& precision) {
  Generator& generator = model(precision);
  const std::int64_t sequences = state.range(0);
  for (auto _ : state) {
    state.SetIterationTime(run_once(generator, sequences, 8, kDecodeTokens + 1));
  }
  state.SetItemsProcessed(state.iterations() * sequences * kDecodeTokens);
  state.counters["step_weight_bytes"] =
      static_cast<double>(generator.info().detail.at("step_weight_bytes").as_int());
}

void prefill(benchmark::State& state, const std::string& precision) {
  Generator& generator = model(precision);
  for (auto _ : state) state.SetIterationTime(run_once(generator, 1, state.range(0), 1));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// Reads a block that no cache holds, on the benchmark's threads.
void read_bandwidth(benchmark::State& state) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  LargeBuffer buffer(kBytes);
  std::memset(buffer.data(), 1, kBytes);
  constexpr std::size_t kShare = kBytes / kThreads;
  std::atomic<std::uint64_t> sink{0};
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] { sink += read_block({buffer.data() + t * kShare, kShare}); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  benchmark::DoNotOptimize(sink.load());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBytes));
}

BENCHMARK(read_bandwidth)->Name("BM_read_bandwidth/2_threads")->UseRealTime();
/// Decode of 1, 4 and 8 sequences and a prompt of 512 tokens in each setting; one model after the
/// other, in the order of registration.
const int kRegistered = [] {
  for (const char* setting : {"fp8", "bf16", "fp8-block", "int8", "int4-g128", "nvfp4", "mxfp4"}) {
    const std::string name = setting;
    benchmark::RegisterBenchmark(("BM_decode/" + name).c_str(),
                                 [name](benchmark::State& state) { decode(state, name); })
        ->Arg(1)
        ->Arg(4)
        ->Arg(8)
        ->UseManualTime();
    benchmark::RegisterBenchmark(("BM_prefill/" + name).c_str(),
                                 [name](benchmark::State& state) { prefill(state, name); })
        ->Arg(512)
        ->UseManualTime();
  }
  return 0;
}();

}  // namespace
}  // namespace assay::engine

BENCHMARK_MAIN();
