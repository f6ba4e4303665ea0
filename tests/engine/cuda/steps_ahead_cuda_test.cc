// Steps in flight on the CUDA executor: the device takes the tokens of one step into the next by
// itself, and what the host writes meanwhile disturbs nothing. In the emulation the device works as
// late as it may (engine/cuda/emulation/queue.h).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/cpu_executor.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/weight_sources.h"
#include "tests/engine/answers.h"
#include "tests/engine/layouts.h"
#if defined(ASSAY_FAKE_NCCL)
#include "engine/cuda/emulation/queue.h"
#endif

namespace assay::engine {
namespace {

using test::Answers;
using test::Ask;

#if defined(ASSAY_FAKE_NCCL)
using Late = emulation::Deferral;
#else
struct Late {};
#endif

constexpr std::int64_t kPages = 24;
constexpr std::int64_t kContext = 256;

struct Shape {
  std::int64_t batch = 8;
  std::int64_t rows = 16;
  bool prefix = false;
  int ranks = 1;
  bool ahead = true;
};

CudaPlan plan_of(const Shape& shape) {
  CudaPlan plan;
  plan.context = kContext;
  plan.pages = kPages;
  plan.max_batch = 8;
  plan.max_rows = shape.rows;
  return plan;
}

std::unique_ptr<CudaExecutor> executor_of(const ModelConfig& config, const WeightSource& source,
                                          const Shape& shape) {
  CudaOptions options{.gemm = "exact", .attention = "exact", .context = kContext};
  options.ranks = options.ranks_here = shape.ranks;
  options.ahead = shape.ahead;
  return make_cuda_executor(config, source, find_setting("fp8"), KvType::kFp8, options,
                            plan_of(shape), 1);
}

Answers on_cuda(const ModelConfig& config, const std::vector<Ask>& all, const Shape& shape) {
  const test::LoudWeights source;
  const auto executor = executor_of(config, source, shape);
  EXPECT_EQ(executor->runs_ahead(), shape.ahead);
  [[maybe_unused]] const Late late;
  return test::answer(*executor, kPages, all, shape.batch, shape.prefix);
}

/// Lengths that end in different steps, drawn and best tokens, log-probabilities of some.
std::vector<Ask> mixed_asks(std::int64_t vocab) {
  std::vector<Ask> all = test::asks(vocab, 9);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].generate = 2 + static_cast<std::int64_t>(i);
  all[3].prompt.resize(20);
  all[3].first_logit = 17;
  Ask scored = all[2];
  scored.generate = 0;
  scored.first_logit = 1;
  all.push_back(scored);
  Ask drawn = all[1];
  drawn.top = -1;
  drawn.generate = 7;
  all.push_back(drawn);
  return all;
}

ModelConfig small_model() {
  ModelConfig config = test::small_model({"8B", 32, 8, false});
  config.layers = 1;
  return config;
}

TEST(StepsAheadCuda, GiveTheBitsOfTheCpuBackend) {
  const ModelConfig config = small_model();
  const std::vector<Ask> all = mixed_asks(config.vocab);
  const test::LoudWeights source;
  const PrecisionSetting setting = find_setting("fp8");
  CpuExecutor cpu(config, source,
                  {.setting = &setting,
                   .kv = KvType::kFp8,
                   .ranks = 1,
                   .threads = 1,
                   .context = kContext,
                   .pages = kPages,
                   .max_rows = 16});
  const Answers expected = test::answer(cpu, kPages, all, 8, false);
  test::expect_same(on_cuda(config, all, {.ahead = false}), expected, "one step at a time");
  test::expect_same(on_cuda(config, all, {}), expected, "ahead");
  test::expect_same(on_cuda(config, all, {.batch = 2, .rows = 9, .prefix = true}), expected,
                    "ahead, by two");
  test::expect_same(on_cuda(config, all, {.ranks = 2}), expected, "ahead, two ranks");
}

/// Two requests after a first whose step nobody waited for.
TEST(StepsAheadCuda, WhatWasForgottenDisturbsNothing) {
  const ModelConfig config = small_model();
  const std::vector<Ask> all = mixed_asks(config.vocab);
  const Answers expected = on_cuda(config, all, {.ahead = false});
  const test::LoudWeights source;
  const auto executor = executor_of(config, source, {});
  [[maybe_unused]] const Late late;
  const std::vector<std::int32_t> pages = {3, 4};
  const SamplingParams greedy;
  Batch batch;
  for (std::int64_t i = 0; i < 5; ++i) {
    batch.ids.push_back(static_cast<TokenId>(7 * i));
    batch.positions.push_back(i);
  }
  batch.sequences.push_back({.first_row = 0, .rows = 5, .first_position = 0, .pages = pages});
  batch.queries.push_back({.row = 4, .sampling = &greedy, .position = 4, .targets = {}});
  for (int steps = 1; steps <= 2; ++steps) {
    for (int i = 0; i < steps; ++i) executor->start(batch);
    executor->forget();
    test::expect_same(test::answer(*executor, kPages, all, 8, false), expected,
                      fmt::format("after {} forgotten", steps));
  }
  executor->start(batch);  // still under way when the executor ends
}

}  // namespace
}  // namespace assay::engine
