// From a response to its verdict, for every kind of answer but code (sandbox_bench.cc).
#include <benchmark/benchmark.h>

#include <string>

#include "evals/benchmark.h"

namespace assay::evals {
namespace {

const std::string kReasoning =
    "Let us work step by step. The shop sells 12 pens for 3 dollars each, so a box costs 36 "
    "dollars. Seven boxes cost 7 times 36, which is 252 dollars in all. ";

struct Case {
  const char* task;
  const char* target;
  const char* ending;
};

void score(benchmark::State& state, const Case& c) {
  const Benchmark& task = find_benchmark(c.task);
  const ScoreContext context{.protocol = &task.protocols().front()};
  Sample sample;
  sample.id = std::string(c.task) + "/test/0";
  sample.target = c.target;
  sample.choices = {"one", "two", "three", "four"};
  const Response response{.text = kReasoning + kReasoning + c.ending};
  for (auto _ : state) benchmark::DoNotOptimize(task.score(sample, response, context));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(score, number, Case{"gsm8k", "252", "The answer is 252."})
    ->Name("BM_scoring/gsm8k");
BENCHMARK_CAPTURE(score, letter, Case{"mmlu", "B", "The answer is (B)."})->Name("BM_scoring/mmlu");
BENCHMARK_CAPTURE(score, latex, Case{"math500", "\\frac{1}{2}", "So \\boxed{0.5}."})
    ->Name("BM_scoring/math500");
BENCHMARK_CAPTURE(score, polynomial, Case{"math500", "x^2+2x+1", "So \\boxed{(x+1)^2}."})
    ->Name("BM_scoring/math500_polynomial");

}  // namespace
}  // namespace assay::evals

BENCHMARK_MAIN();
