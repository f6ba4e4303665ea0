// Speed of the engine on a GPU: whole models under load, and single matrix products. Prints one
// JSON object a line. Not a Google Benchmark program: a run takes minutes of a borrowed device, so
// each figure is asked for by name and measured once.
//
// usage: gpu_bench load MODEL INPUT OUTPUT REQUESTS [fast]   random tokens, all requests at once
//        gpu_bench gemm ROWS SHARDS SHARD_INPUTS TOKENS KIND TYPE     TYPE: fp8 or bf16
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/runtime.h"
#include "engine/generator.h"
#include "engine/ops/quantize.h"

namespace assay::engine {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<Request> random_requests(std::int64_t count, std::int64_t input, std::int64_t output) {
  SplitMix64 random(5);
  std::vector<Request> requests;
  for (std::int64_t i = 0; i < count; ++i) {
    Request request;
    request.id = std::to_string(i);
    request.prompt.form = PromptInput::Form::kIds;
    for (std::int64_t t = 0; t < input; ++t) {
      request.prompt.ids.push_back(static_cast<TokenId>(random.below(128000)));
    }
    request.sampling.max_tokens = output;
    request.sampling.ignore_eos = true;
    requests.push_back(std::move(request));
  }
  return requests;
}

struct Load {
  std::string model;
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t requests = 0;
  bool fast = false;
};

void bench_load(const Load& load) {
  const auto start = std::chrono::steady_clock::now();
  const auto generator = make_generator({.model = load.model,
                                         .device = "cuda",
                                         .precision = "fp8",
                                         .kv = "fp8",
                                         .fast = load.fast,
                                         .max_batch = load.requests,
                                         .max_context = load.input + load.output,
                                         .prefix_cache = false});
  const double loading = seconds_since(start);
  const auto run = [&](std::span<const Request> requests, std::int64_t& first, std::int64_t& last) {
    std::string error;
    generator->run(requests, [&](std::size_t, const Completion& completion) {
      if (!completion.error.empty()) error = completion.error;
      first = std::max(first, completion.times.first_ns);
      last = std::max(last, completion.times.last_ns);
      return true;
    });
    if (!error.empty()) throw_environment("{}", error);
  };
  std::int64_t first = 0;
  std::int64_t last = 0;
  // Kernels are loaded and steps recorded before the clock starts.
  run(random_requests(load.requests, 16, 4), first, last);
  first = last = 0;
  (void)kernel_times();
  const auto requests = random_requests(load.requests, load.input, load.output);
  const auto begin = std::chrono::steady_clock::now();
  run(requests, first, last);
  const double seconds = seconds_since(begin);
  std::string kernels;
  for (const KernelTime& time : kernel_times()) {
    kernels += fmt::format("{}[\"{}\", {}, {:.2f}]", kernels.empty() ? "" : ", ", time.name,
                           time.calls, time.milliseconds);
  }
  const double decoding = static_cast<double>(last - first) * 1e-9;
  const auto tokens = static_cast<double>(load.requests * load.output);
  fmt::print(
      "{{\"bench\": \"load\", \"model\": \"{}\", \"arithmetic\": \"{}\", \"input\": {}, "
      "\"output\": {}, "
      "\"requests\": {}, \"load_s\": {:.3f}, \"seconds\": {:.3f}, \"output_tokens_per_s\": {:.2f}, "
      "\"input_tokens_per_s\": {:.1f}, \"decode_s\": {:.3f}, \"weight_bytes\": {}, "
      "\"kernels_calls_ms\": [{}]}}\n",
      load.model, generator->info().arithmetic, load.input, load.output, load.requests, loading,
      seconds, tokens / seconds, static_cast<double>(load.requests * load.input) / seconds,
      decoding, generator->info().weight_bytes, kernels);
}

struct Product {
  int rows = 0;
  int shards = 1;
  int shard_inputs = 0;
  int tokens = 0;
  std::string kind;
  bool fp8 = true;
};

DeviceMatrix random_matrix(const Product& p, DeviceBuffer& memory, DeviceBuffer& scale,
                           DeviceBuffer& staging) {
  DeviceMatrix w;
  w.type = p.fp8 ? WeightType::kE4m3 : WeightType::kBf16;
  w.rows = p.rows;
  w.shards = p.shards;
  w.shard_used = p.shard_inputs;
  w.shard_k = (p.shard_inputs + 127) / 128 * 128;
  memory = DeviceBuffer(static_cast<std::size_t>(w.bytes()), "weights");
  scale = DeviceBuffer(static_cast<std::size_t>(p.rows) * sizeof(float), "scales");
  w.data = memory.as<void>();
  w.row_scale = scale.as<float>();
  const int cols = p.shards * p.shard_inputs;
  constexpr int kRows = 256;
  if (staging.size() == 0) {
    staging = DeviceBuffer(static_cast<std::size_t>(kRows * cols) * sizeof(float), "staging");
  }
  for (int first = 0; first < p.rows; first += kRows) {
    const int rows = std::min(kRows, p.rows - first);
    dummy_rows_cuda(
        nullptr,
        {.out = staging.as<float>(), .rows = rows, .cols = cols, .first_row = first, .key = 1});
    weight_rows_cuda(
        nullptr,
        {.in = staging.as<float>(), .rows = rows, .cols = cols, .to = w, .first_row = first});
  }
  return w;
}

void bench_gemm(const Product& p) {
  const DeviceLimits device = use_device(0);
  GemmRunner runner(find_gemm_kind(p.kind), device);
  DeviceBuffer staging;
  // Enough copies of the weights that none is in the cache when its turn comes.
  const std::int64_t bytes = static_cast<std::int64_t>(p.rows) * p.shards * p.shard_inputs;
  const std::size_t copies =
      static_cast<std::size_t>(std::max<std::int64_t>(2, (256 << 20) / bytes));
  std::vector<DeviceBuffer> memory(copies);
  std::vector<DeviceBuffer> scales(copies);
  std::vector<DeviceMatrix> matrices;
  for (std::size_t i = 0; i < copies; ++i) {
    matrices.push_back(random_matrix(p, memory[i], scales[i], staging));
  }
  Product tokens = p;
  tokens.rows = p.tokens;
  DeviceBuffer a_memory;
  DeviceBuffer a_scale;
  DeviceBuffer a_staging;
  (void)random_matrix(tokens, a_memory, a_scale, a_staging);
  const DeviceBuffer factors(static_cast<std::size_t>(p.tokens * p.shards) * sizeof(float),
                             "scales");
  fill_bytes(nullptr, factors.as<float>(), 0x3C, factors.size());
  DeviceGemmArgs args;
  args.a = a_memory.as<void>();
  args.a_scale = p.fp8 ? factors.as<float>() : nullptr;
  args.a_is_e4m3 = p.fp8;
  args.w = matrices.front();
  args.ldo = p.rows;
  args.tokens = p.tokens;
  args.a_rows = p.tokens;
  args.parts = p.shards > 1 ? runner.parts(args.w, p.tokens, p.fp8) : 1;
  args.kind = p.shards > 1 ? GemmOut::kParts : GemmOut::kBf16;
  const DeviceBuffer out(static_cast<std::size_t>(p.rows) * static_cast<std::size_t>(p.tokens) *
                             static_cast<std::size_t>(args.parts) * sizeof(float),
                         "outputs");
  args.out = out.as<void>();
  const auto once = [&](int turn) {
    args.w = matrices[static_cast<std::size_t>(turn) % copies];
    runner.run(nullptr, args);
  };
  for (int i = 0; i < 3; ++i) once(i);
  std::vector<float> times;
  for (int repetition = 0; repetition < 5; ++repetition) {
    constexpr int kCalls = 20;
    Event begin;
    Event end;
    begin.record(nullptr);
    for (int i = 0; i < kCalls; ++i) once(i);
    end.record(nullptr);
    end.wait();
    times.push_back(end.since(begin) / kCalls * 1e-3F);
  }
  std::sort(times.begin(), times.end());
  const auto seconds = static_cast<double>(times[times.size() / 2]);
  fmt::print(
      "{{\"bench\": \"gemm\", \"kind\": \"{}\", \"type\": \"{}\", \"rows\": {}, \"shards\": {}, "
      "\"inputs\": {}, \"tokens\": {}, \"parts\": {}, \"us\": {:.2f}, \"us_least\": {:.2f}, "
      "\"us_most\": {:.2f}, \"gb_per_s\": {:.1f}, \"tflop_per_s\": {:.2f}}}\n",
      p.kind, p.fp8 ? "fp8" : "bf16", p.rows, p.shards, p.shards * p.shard_inputs, p.tokens,
      args.parts, seconds * 1e6, static_cast<double>(times.front()) * 1e6,
      static_cast<double>(times.back()) * 1e6,
      static_cast<double>(device_gemm_bytes(args)) / seconds * 1e-9,
      static_cast<double>(device_gemm_flops(args)) / seconds * 1e-12);
}

int main_with(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t i) { return std::stoll(words.at(i)); };
  const bool fast = words.size() == 7 && words[6] == "fast";
  if ((words.size() == 6 || fast) && words[1] == "load") {
    bench_load({words[2], number(3), number(4), number(5), fast});
    return 0;
  }
  if (words.size() == 8 && words[1] == "gemm") {
    bench_gemm({static_cast<int>(number(2)), static_cast<int>(number(3)),
                static_cast<int>(number(4)), static_cast<int>(number(5)), words[6],
                words[7] == "fp8"});
    return 0;
  }
  fmt::print(stderr,
             "usage: gpu_bench load MODEL INPUT OUTPUT REQUESTS [fast]\n"
             "       gpu_bench gemm ROWS SHARDS SHARD_INPUTS TOKENS KIND TYPE\n");
  return 2;
}

}  // namespace
}  // namespace assay::engine

int main(int argc, char** argv) {
  try {
    return assay::engine::main_with({argv, argv + argc});
  } catch (const assay::Error& error) {
    fmt::print(stderr, "gpu_bench: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
