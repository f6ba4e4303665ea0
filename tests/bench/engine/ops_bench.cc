// The CPU backend's kernels but for the matrix product (gemm_bench.cc), in the shapes of Llama 3.2
// 1B, on one thread. Bytes are those that must move at least, flops the multiply-adds.
#include <benchmark/benchmark.h>

#include <numeric>
#include <vector>

#include "base/random.h"
#include "engine/ops/attention.h"
#include "engine/parallel/communicator.h"
#include "engine/sampler.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kHidden = 2048;
constexpr std::int64_t kIntermediate = 8192;
constexpr std::int64_t kHeads = 32;
constexpr std::int64_t kKvHeads = 8;
constexpr std::int64_t kHeadDim = 64;
constexpr std::int64_t kVocab = 128256;

std::vector<bf16> random_bf16(std::int64_t count) {
  SplitMix64 random(3);
  std::vector<bf16> out(static_cast<std::size_t>(count));
  for (bf16& value : out) value = float_to_bf16(static_cast<float>(random.uniform() - 0.5));
  return out;
}

std::vector<float> random_floats(std::int64_t count, float width) {
  SplitMix64 random(4);
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& value : out) value = width * static_cast<float>(random.uniform() - 0.5);
  return out;
}

void set_bytes(benchmark::State& state, std::int64_t bytes) {
  state.SetBytesProcessed(state.iterations() * bytes);
}

void set_flops(benchmark::State& state, std::int64_t flops) {
  state.counters["flop/s"] = benchmark::Counter(static_cast<double>(state.iterations() * flops),
                                                benchmark::Counter::kIsRate);
}

/// `rows` new tokens of one sequence whose last one is at position `context` - 1.
void attention(benchmark::State& state, KvType type) {
  const FlushSubnormals flush;
  const std::int64_t rows = state.range(0);
  const std::int64_t context = state.range(1);
  std::vector<std::int32_t> pages(
      static_cast<std::size_t>((context + kPageTokens - 1) / kPageTokens));
  std::iota(pages.begin(), pages.end(), 0);
  KvCache cache({.layers = 1, .kv_heads = kKvHeads, .head_dim = kHeadDim}, type, std::ssize(pages));
  const std::vector<bf16> keys = random_bf16(2 * kHeadDim);
  for (std::int64_t t = 0; t < context; ++t) {
    for (std::int64_t head = 0; head < kKvHeads; ++head) {
      cache.store(0, pages[static_cast<std::size_t>(t / kPageTokens)], head, t % kPageTokens,
                  keys.data() + t % kHeadDim, keys.data());
    }
  }
  const std::vector<bf16> q = random_bf16(rows * kHidden);
  std::vector<bf16> out(q.size());
  const SequenceRows sequence{.rows = rows, .first_position = context - rows, .pages = pages};
  CpuContext cpu(cpu_kernels(), 1, attention_scratch_floats(kHeads / kKvHeads, kHeadDim));
  const AttentionArgs args{.q = q.data(),
                           .ld = kHidden,
                           .out = out.data(),
                           .ldo = kHidden,
                           .layer = 0,
                           .sequences = {&sequence, 1},
                           .heads = kHeads,
                           .kv_heads = kKvHeads,
                           .head_dim = kHeadDim};
  for (auto _ : state) {
    attention_cpu(cpu, cache, args);
    benchmark::DoNotOptimize(out.data());
  }
  set_bytes(state, attention_bytes(cache, args));
  set_flops(state, attention_flops(args));
}
BENCHMARK_CAPTURE(attention, kv_bf16, KvType::kBf16)
    ->Name("BM_attention/cpu/kv_bf16")
    ->Args({1, 1024})
    ->Args({512, 512});
BENCHMARK_CAPTURE(attention, kv_fp8, KvType::kFp8)
    ->Name("BM_attention/cpu/kv_fp8")
    ->Args({1, 1024});

void rms_norm(benchmark::State& state) {
  const std::vector<bf16> in = random_bf16(kHidden);
  const std::vector<float> weight(kHidden, 1.0F);
  std::vector<float> scratch(kHidden);
  std::vector<bf16> out(kHidden);
  float scale = 0;
  for (auto _ : state) {
    cpu_kernels().rms_norm(
        {.in = in.data(),
         .weight = weight.data(),
         .scratch = scratch.data(),
         .cols = kHidden,
         .eps = 1e-5F},
        {.out = out.data(), .scale = &scale, .shard_used = kHidden, .shard_k = kHidden});
    benchmark::DoNotOptimize(out.data());
  }
  set_bytes(state, kHidden * (2 + 4 + 2));
}
BENCHMARK(rms_norm)->Name("BM_rms_norm/cpu/fp8/2048");

void silu_mul(benchmark::State& state) {
  const std::vector<bf16> gate = random_bf16(kIntermediate);
  std::vector<float> scratch(kIntermediate);
  std::vector<bf16> out(kIntermediate);
  std::vector<float> scale(kShards);
  const RowOut to{.out = out.data(),
                  .scale = scale.data(),
                  .shards = kShards,
                  .shard_used = kIntermediate / kShards,
                  .shard_k = kIntermediate / kShards};
  for (auto _ : state) {
    cpu_kernels().silu_mul(gate.data(), gate.data(), scratch.data(), to);
    benchmark::DoNotOptimize(out.data());
  }
  set_bytes(state, kIntermediate * 3 * 2);
}
BENCHMARK(silu_mul)->Name("BM_silu_mul/cpu/fp8/8192");

void quantize_activations(benchmark::State& state) {
  const std::vector<bf16> in = random_bf16(kHidden);
  std::vector<float> scratch(kHidden);
  std::vector<bf16> out(kHidden);
  float scale = 0;
  const RowOut to{.out = out.data(), .scale = &scale, .shard_used = kHidden, .shard_k = kHidden};
  for (auto _ : state) {
    cpu_kernels().pack_row(in.data(), scratch.data(), to);
    benchmark::DoNotOptimize(out.data());
  }
  set_bytes(state, kHidden * 2 * 2);
}
BENCHMARK(quantize_activations)->Name("BM_quantize/cpu/activations_fp8/2048");

void quantize_weights(benchmark::State& state) {
  const std::vector<float> in = random_floats(kIntermediate, 1);
  std::vector<e4m3> out(kIntermediate);
  for (auto _ : state) {
    const float scale = cpu_kernels().e4m3_scale_of(in.data(), kIntermediate);
    cpu_kernels().encode_e4m3(in.data(), kIntermediate, scale, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  set_bytes(state, kIntermediate * (4 + 1));
}
BENCHMARK(quantize_weights)->Name("BM_quantize/cpu/weights_fp8/8192");

void logit_stats(benchmark::State& state) {
  const std::vector<float> logits = random_floats(kVocab, 20);
  for (auto _ : state) {
    benchmark::DoNotOptimize(cpu_kernels().logit_stats(logits.data(), kVocab));
  }
  set_bytes(state, kVocab * 4);
}
BENCHMARK(logit_stats)->Name("BM_logit_stats/cpu/128256");

void sampling(benchmark::State& state, const SamplingParams& params) {
  const std::vector<float> logits = random_floats(kVocab, 20);
  const LogitStats stats = cpu_kernels().logit_stats(logits.data(), kVocab);
  std::int64_t position = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample_token(logits, stats, params, {.seed = 1}, ++position));
  }
  state.SetItemsProcessed(state.iterations());
  set_bytes(state, kVocab * 4);
}
BENCHMARK_CAPTURE(sampling, temperature, SamplingParams{.temperature = 1})
    ->Name("BM_sampling/cpu/temperature/128256");
BENCHMARK_CAPTURE(sampling, top_p, SamplingParams{.temperature = 1, .top_p = 0.9})
    ->Name("BM_sampling/cpu/top_p/128256");
BENCHMARK_CAPTURE(sampling, top_k, SamplingParams{.temperature = 1, .top_k = 50})
    ->Name("BM_sampling/cpu/top_k/128256");

/// Ranks are threads of one process; every rank's part is read and the sum written by each.
void all_reduce(benchmark::State& state) {
  constexpr int kRanks = 2;
  const std::int64_t count = state.range(0);
  static std::unique_ptr<ThreadGroup> group;
  if (state.thread_index() == 0) group = std::make_unique<ThreadGroup>(kRanks, count);
  std::vector<float> data = random_floats(count, 1);
  for (auto _ : state) {
    ThreadCommunicator(*group, state.thread_index()).all_reduce_sum(data.data(), count);
  }
  set_bytes(state, count * 4 * (kRanks + 1) / kRanks);
}
BENCHMARK(all_reduce)
    ->Name("BM_all_reduce/cpu/2_ranks")
    ->Arg(kHidden)
    ->Arg(64 * kHidden)
    ->Threads(2)
    ->UseRealTime();

}  // namespace
}  // namespace assay::engine

BENCHMARK_MAIN();
