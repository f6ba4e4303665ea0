// What a sample costs in the sandbox beyond its own work: both processes started, confined, asked,
// judged, gone.
#include <benchmark/benchmark.h>

#include <memory>

#include "evals/sandbox/sandbox_client.h"

namespace assay::evals {
namespace {

/// One sample after the other. `level`: 0 full, 1 reduced, 2 without a sandbox.
void BM_sandbox_sample(benchmark::State& state) {
  const auto level = static_cast<SandboxLevel>(state.range(0));
  const SandboxStrength strength = measure_sandbox({.level = level, .parallel = 1});
  if (!strength.problem.empty()) {
    state.SkipWithError(strength.problem.c_str());
    return;
  }
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.level = level, .parallel = 1});
  const SandboxProgram program{.source = "def f(x):\n    return x + 1\n",
                               .reference = "",
                               .test = "def check(candidate):\n    assert candidate(2) == 3\n",
                               .entry_point = "f"};
  for (auto _ : state) {
    if (sandbox->run(program).outcome != SandboxOutcome::kPassed) state.SkipWithError("not passed");
  }
}
BENCHMARK(BM_sandbox_sample)
    ->ArgName("level")
    ->Arg(0)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace assay::evals

int main(int argc, char** argv) {
  assay::evals::start_sandbox_spawner(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
