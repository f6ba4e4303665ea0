// The matrix product on one thread, in the shapes of Llama 3.2 1B, by CPU time: flop/s for many
// tokens, bytes/s of weights for one. Weights of one matrix may stay in the last-level cache.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/random.h"
#include "engine/ops/gemm.h"

namespace assay::engine {
namespace {

void gemm(benchmark::State& state, WeightType type, std::int64_t shards) {
  const FlushSubnormals flush;
  const std::int64_t tokens = state.range(0);
  const std::int64_t rows = state.range(1);
  const std::int64_t inputs = state.range(2);
  SplitMix64 random(1);
  PackedMatrix w = make_packed_matrix(type, rows, shards, inputs / shards);
  std::vector<float> row(static_cast<std::size_t>(inputs));
  for (std::int64_t r = 0; r < rows; ++r) {
    for (float& value : row) value = static_cast<float>(random.uniform() - 0.5);
    pack_row(cpu_kernels(), w, r, row, 0.5F / 448);
  }
  std::vector<bf16> a(static_cast<std::size_t>(tokens * w.padded_inputs()));
  for (bf16& value : a) value = float_to_bf16(static_cast<float>(random.uniform() - 0.5));
  const std::vector<float> a_scale(static_cast<std::size_t>(tokens * shards), 1.0F);
  std::vector<bf16> out(static_cast<std::size_t>(tokens * w.padded_rows()));
  CpuContext context(cpu_kernels(), 1, gemm_scratch_floats());
  GemmArgs args;
  args.a = a.data();
  args.a_scale = type == WeightType::kE4m3 ? a_scale.data() : nullptr;
  args.w = &w;
  args.out = out.data();
  args.ldo = w.padded_rows();
  args.rows = tokens;
  for (auto _ : state) {
    gemm_cpu(context, args);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * gemm_bytes(w));
  state.counters["flop/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * gemm_flops(w, tokens)), benchmark::Counter::kIsRate);
}

void shapes(benchmark::internal::Benchmark* bench) {
  for (const std::int64_t tokens : {1, 2, 8, 512}) bench->Args({tokens, 8192, 2048});
}

BENCHMARK_CAPTURE(gemm, e4m3, WeightType::kE4m3, 1)->Name("BM_gemm/e4m3/gate")->Apply(shapes);
BENCHMARK_CAPTURE(gemm, bf16, WeightType::kBf16, 1)->Name("BM_gemm/bf16/gate")->Apply(shapes);
BENCHMARK_CAPTURE(gemm, e4m3_down, WeightType::kE4m3, 8)
    ->Name("BM_gemm/e4m3/down")
    ->Args({1, 2048, 8192})
    ->Args({512, 2048, 8192});

}  // namespace
}  // namespace assay::engine

BENCHMARK_MAIN();
