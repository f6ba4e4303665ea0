// The CUDA backend's kernels in the shapes of Llama 3.1 8B, timed by events. Weights of a matrix
// product come from memory (enough copies that no cache holds one when its turn comes); row kernels
// and caches are warm, as they are within a step. Without a GPU every case is skipped.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/runtime.h"
#include "engine/ops/logits.h"
#include "engine/ops/paged_attention.h"
#include "engine/ops/quantize.h"
#include "engine/ops/rms_norm.h"
#include "engine/ops/silu_mul.h"

namespace assay::engine {
namespace {

constexpr int kHidden = 4096;
constexpr int kIntermediate = 14336;
constexpr int kHeads = 32;
constexpr int kKvHeads = 8;
constexpr int kHeadDim = 128;
constexpr int kVocab = 128256;
constexpr int kCalls = 20;  // between two events: a launch takes longer than a small kernel

DeviceBuffer filled(std::int64_t bytes, int value) {
  DeviceBuffer out(static_cast<std::size_t>(bytes), "a benchmark's operand");
  fill_bytes(nullptr, out.as<void>(), value, out.size());
  return out;
}

template <typename T>
DeviceBuffer on_device(const std::vector<T>& values) {
  DeviceBuffer out(values.size() * sizeof(T), "a benchmark's operand");
  copy_to_device(nullptr, out.as<void>(), values.data(), out.size());
  synchronize(nullptr);
  return out;
}

/// Runs `call(i)`; sets seconds, bytes and operations of one call.
template <typename Call>
void timed(benchmark::State& state, std::int64_t bytes, std::int64_t flops, Call call) {
  call(0);
  synchronize(nullptr);
  for (auto _ : state) {
    Event begin;
    Event end;
    begin.record(nullptr);
    for (int i = 0; i < kCalls; ++i) call(i);
    end.record(nullptr);
    end.wait();
    state.SetIterationTime(static_cast<double>(end.since(begin)) / kCalls * 1e-3);
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  if (flops > 0) {
    state.counters["flop/s"] = benchmark::Counter(static_cast<double>(state.iterations() * flops),
                                                  benchmark::Counter::kIsRate);
  }
}

/// The device, or a skipped case.
template <typename Body>
void on_gpu(benchmark::State& state, Body body) {
  try {
    body(use_device(0));
  } catch (const Error& error) {
    state.SkipWithError(error.what());
  }
}

void copy(benchmark::State& state) {
  on_gpu(state, [&](const DeviceLimits&) {
    const std::int64_t bytes = std::int64_t{1} << 30;
    const DeviceBuffer from = filled(bytes, 1);
    const DeviceBuffer to = filled(bytes, 2);
    timed(state, 2 * bytes, 0, [&](int) {
      copy_on_device(nullptr, to.as<void>(), from.as<void>(), static_cast<std::size_t>(bytes));
    });
  });
}
BENCHMARK(copy)->Name("BM_copy/cuda/1GiB")->UseManualTime();

/// state: tokens, rows, inputs.
void gemm(benchmark::State& state, WeightType type) {
  on_gpu(state, [&](const DeviceLimits& device) {
    const bool fp8 = type == WeightType::kE4m3;
    DeviceGemmArgs args;
    args.w.type = type;
    args.tokens = args.a_rows = static_cast<int>(state.range(0));
    args.w.rows = args.ldo = static_cast<int>(state.range(1));
    args.w.shard_used = args.w.shard_k = static_cast<int>(state.range(2));
    const auto copies = static_cast<std::size_t>(
        std::max<std::int64_t>(2, (std::int64_t{256} << 20) / args.w.bytes()));
    std::vector<DeviceBuffer> weights;
    for (std::size_t i = 0; i < copies; ++i) weights.push_back(filled(args.w.bytes(), 0x38));
    const DeviceBuffer a = filled(args.tokens * args.w.inputs() * 2, 0x38);
    const DeviceBuffer scales = filled(std::max(args.tokens, args.w.rows) * 4, 0x38);
    const DeviceBuffer out = filled(std::int64_t{args.tokens} * args.w.rows * 2, 0);
    args.w.row_scale = fp8 ? scales.as<float>() : nullptr;
    args.a = a.as<void>();
    args.a_scale = fp8 ? scales.as<float>() : nullptr;
    args.a_is_e4m3 = fp8;
    args.out = out.as<void>();
    args.w.data = weights.front().as<void>();
    GemmRunner runner(default_gemm_kind(device), device);
    timed(state, device_gemm_bytes(args), device_gemm_flops(args), [&](int i) {
      args.w.data = weights[static_cast<std::size_t>(i) % copies].as<void>();
      runner.run(nullptr, args);
    });
  });
}
void gemm_shapes(benchmark::internal::Benchmark* bench) {
  for (const std::int64_t tokens : {1, 16, 128, 4096}) {
    bench->Args({tokens, 2 * kIntermediate, kHidden});
  }
  bench->UseManualTime();
}
BENCHMARK_CAPTURE(gemm, fp8, WeightType::kE4m3)->Name("BM_gemm/cuda/fp8")->Apply(gemm_shapes);
BENCHMARK_CAPTURE(gemm, bf16, WeightType::kBf16)->Name("BM_gemm/cuda/bf16")->Apply(gemm_shapes);

/// Decode: one row of each of `sequences`, each with `context` tokens. state: sequences, context.
void attention(benchmark::State& state) {
  on_gpu(state, [&](const DeviceLimits&) {
    const auto sequences = static_cast<int>(state.range(0));
    const auto context = static_cast<int>(state.range(1));
    const int pages = (context + static_cast<int>(kPageTokens) - 1) / static_cast<int>(kPageTokens);
    const int spans = (context - 1) / kSpanTokens + 1;
    std::vector<int> positions(static_cast<std::size_t>(sequences), context - 1);
    std::vector<int> numbers(static_cast<std::size_t>(sequences));
    std::iota(numbers.begin(), numbers.end(), 0);
    std::vector<int> table(static_cast<std::size_t>(sequences * pages));
    std::iota(table.begin(), table.end(), 0);
    std::vector<AttentionTile> tiles;
    for (int s = 0; s < sequences; ++s) {
      tiles.push_back({.first_row = s,
                       .rows = 1,
                       .sequence = s,
                       .first_position = context - 1,
                       .first_span = s * spans});
    }
    const DeviceBuffer device_positions = on_device(positions);
    const DeviceBuffer device_numbers = on_device(numbers);
    const DeviceBuffer device_table = on_device(table);
    const DeviceBuffer device_tiles = on_device(tiles);
    PagedAttentionArgs args;
    args.cache.kv_heads = kKvHeads;
    args.cache.head_dim = kHeadDim;
    const DeviceBuffer cache = filled(args.cache.tile(sequences * pages, 0, 0) * 2, 0x3C);
    args.cache.data = cache.as<void>();
    const DeviceBuffer q = filled(std::int64_t{sequences} * kHeads * kHeadDim * 2, 0x3C);
    const DeviceBuffer out = filled(std::int64_t{sequences} * kHeads * kHeadDim * 2, 0);
    const DeviceBuffer partials =
        filled(std::int64_t{sequences} * spans * kHeads * (kHeadDim + 2) * 4, 0);
    args.q = q.as<bf16>();
    args.out = out.as<bf16>();
    args.ldq = args.ldo = kHeads * kHeadDim;
    args.heads = kHeads;
    args.rows = {.rows = sequences,
                 .positions = device_positions.as<int>(),
                 .sequence = device_numbers.as<int>(),
                 .page_table = device_table.as<int>(),
                 .table_ld = pages};
    args.tiles = device_tiles.as<AttentionTile>();
    args.decode_tiles = sequences;
    args.most_spans = spans;
    args.partials = partials.as<float>();
    timed(state, sequences * attention_row_bytes(args.cache, context - 1),
          std::int64_t{4} * sequences * context * kHeads * kHeadDim,
          [&](int) { attention_tensor_cuda(nullptr, args); });
  });
}
BENCHMARK(attention)
    ->Name("BM_attention/cuda/kv_bf16")
    ->Args({1, 4096})
    ->Args({64, 4096})
    ->UseManualTime();

void rms_norm(benchmark::State& state) {
  on_gpu(state, [&](const DeviceLimits&) {
    const auto rows = static_cast<int>(state.range(0));
    const DeviceBuffer x = filled(std::int64_t{rows} * kHidden * 2, 0x3C);
    const DeviceBuffer weight = filled(kHidden * 4, 0x3C);
    const DeviceBuffer out = filled(std::int64_t{rows} * kHidden, 0);
    const DeviceBuffer scale = filled(rows * 4, 0);
    RmsNormArgs args;
    args.x = x.as<bf16>();
    args.weight = weight.as<float>();
    args.rows = rows;
    args.cols = kHidden;
    args.eps = 1e-5F;
    args.next = {.out = out.as<void>(),
                 .scale = scale.as<float>(),
                 .shard_used = kHidden,
                 .shard_k = kHidden};
    timed(state, rms_norm_bytes(args), 0, [&](int) { rms_norm_cuda(nullptr, args); });
  });
}
BENCHMARK(rms_norm)->Name("BM_rms_norm/cuda/fp8")->Arg(1)->Arg(4096)->UseManualTime();

void silu_mul(benchmark::State& state) {
  on_gpu(state, [&](const DeviceLimits&) {
    const auto rows = static_cast<int>(state.range(0));
    const DeviceBuffer gate = filled(std::int64_t{rows} * kIntermediate * 4, 0x3C);
    const DeviceBuffer out = filled(std::int64_t{rows} * kIntermediate, 0);
    const DeviceBuffer scale = filled(rows * 4, 0);
    SiluMulArgs args;
    args.gate_up = gate.as<bf16>();
    args.ld = 2 * kIntermediate;
    args.rows = rows;
    args.features = kIntermediate;
    args.next = {.out = out.as<void>(),
                 .scale = scale.as<float>(),
                 .shard_used = kIntermediate,
                 .shard_k = kIntermediate};
    timed(state, silu_mul_bytes(args), 0, [&](int) { silu_mul_cuda(nullptr, args); });
  });
}
BENCHMARK(silu_mul)->Name("BM_silu_mul/cuda/fp8")->Arg(1)->Arg(4096)->UseManualTime();

void quantize(benchmark::State& state) {
  on_gpu(state, [&](const DeviceLimits&) {
    const auto rows = static_cast<int>(state.range(0));
    const DeviceBuffer in = filled(std::int64_t{rows} * kHidden * 2, 0x3C);
    const DeviceBuffer out = filled(std::int64_t{rows} * kHidden, 0);
    const DeviceBuffer scale = filled(rows * 4, 0);
    PackRowsArgs args;
    args.in = in.as<bf16>();
    args.ld = args.cols = kHidden;
    args.rows = rows;
    args.next = {.out = out.as<void>(),
                 .scale = scale.as<float>(),
                 .shard_used = kHidden,
                 .shard_k = kHidden};
    timed(state, std::int64_t{rows} * kHidden * 3, 0, [&](int) { pack_rows_cuda(nullptr, args); });
  });
}
BENCHMARK(quantize)->Name("BM_quantize/cuda/activations_fp8")->Arg(1)->Arg(4096)->UseManualTime();

/// Statistics and a sampled token of each row.
void sampling(benchmark::State& state) {
  on_gpu(state, [&](const DeviceLimits&) {
    const auto rows = static_cast<int>(state.range(0));
    const DeviceBuffer logits = filled(std::int64_t{rows} * kVocab * 4, 0x3C);
    const DeviceBuffer asks = on_device(std::vector<LogitAsk>(
        static_cast<std::size_t>(rows), {.samples = 1, .per_degree = 1.44F, .top_p = 0.9}));
    const DeviceBuffer answers = filled(rows * static_cast<std::int64_t>(sizeof(LogitAnswer)), 0);
    const LogitsArgs args{.logits = logits.as<float>(),
                          .ld = kVocab,
                          .rows = rows,
                          .vocab = kVocab,
                          .asks = asks.as<LogitAsk>(),
                          .answers = answers.as<LogitAnswer>()};
    timed(state, std::int64_t{rows} * kVocab * 4, 0, [&](int) { logits_cuda(nullptr, args); });
  });
}
BENCHMARK(sampling)->Name("BM_sampling/cuda/top_p")->Arg(1)->Arg(64)->UseManualTime();

}  // namespace
}  // namespace assay::engine

BENCHMARK_MAIN();
