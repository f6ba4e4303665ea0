// Whole models on the CUDA executor, in the emulation or on a device, against the CPU backend:
// loader, kernels, paging, sampling, log-probabilities.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/cpu_executor.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/runtime.h"
#include "engine/scheduler.h"
#include "engine/shapes.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

/// What is asked of one sequence.
struct Ask {
  std::vector<TokenId> prompt;
  std::int64_t generate = 0;
  std::int64_t first_logit = 0;
  SamplingParams sampling;
  std::vector<TokenId> targets;
  int top = -1;
};

std::vector<Ask> asks(std::int64_t vocab, std::int64_t longest) {
  SplitMix64 random(77);
  std::vector<Ask> out;
  for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{5}, longest, std::int64_t{67}}) {
    Ask ask;
    for (std::int64_t i = 0; i < tokens; ++i) {
      ask.prompt.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(vocab))));
    }
    ask.generate = 3;
    ask.first_logit = tokens > 60 ? tokens - 3 : tokens - 1;
    ask.targets = {3, 7, ask.prompt.front()};
    ask.top = tokens == 5 ? 4 : -1;
    out.push_back(std::move(ask));
  }
  out[1].sampling.temperature = 0.7;
  out[3].sampling.temperature = 1.3;
  out[3].sampling.top_p = 0.8;
  return out;
}

struct Answers {
  std::vector<std::vector<LogitResult>> of;  // per sequence, in order of positions
};

Answers answer(Executor& executor, std::int64_t pages, const std::vector<Ask>& all,
               std::int64_t batch, bool prefix) {
  PagePool pool(pages);
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto sequence = std::make_unique<Sequence>();
    sequence->ids = all[i].prompt;
    sequence->prompt_tokens = static_cast<std::int64_t>(all[i].prompt.size());
    sequence->max_tokens = all[i].generate;
    sequence->first_logit = all[i].first_logit;
    sequence->owner = i;
    sequences.push_back(std::move(sequence));
  }
  Answers out;
  out.of.resize(all.size());
  std::vector<std::int64_t> left(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) left[i] = all[i].generate;
  Scheduler scheduler(executor, pool, batch, prefix,
                      {.query =
                           [&](const Sequence& sequence, std::int64_t position) {
                             const Ask& ask = all[sequence.owner];
                             return LogitQuery{.sampling = &ask.sampling,
                                               .key = {.seed = 5, .request = sequence.owner},
                                               .position = position,
                                               .targets = ask.targets,
                                               .top = ask.top};
                           },
                       .on_result = [&](Sequence& sequence, std::int64_t position,
                                        const LogitResult& result) -> std::optional<TokenId> {
                         out.of[sequence.owner].push_back(result);
                         if (position + 1 < sequence.prompt_tokens) return std::nullopt;
                         if (--left[sequence.owner] == 0) return std::nullopt;
                         return result.chosen;
                       },
                       .on_done = [](Sequence&) {}});
  scheduler.add(std::move(sequences));
  while (scheduler.step()) {
  }
  return out;
}

void expect_same(const Answers& a, const Answers& b, const std::string& what) {
  ASSERT_EQ(a.of.size(), b.of.size());
  for (std::size_t s = 0; s < a.of.size(); ++s) {
    ASSERT_EQ(a.of[s].size(), b.of[s].size()) << what << ", sequence " << s;
    for (std::size_t i = 0; i < a.of[s].size(); ++i) {
      const LogitResult& x = a.of[s][i];
      const LogitResult& y = b.of[s][i];
      const std::string where = fmt::format("{}, sequence {}, row {}", what, s, i);
      EXPECT_TRUE(x.finite && y.finite) << where;
      EXPECT_EQ(x.argmax, y.argmax) << where;
      EXPECT_EQ(x.chosen, y.chosen) << where;
      EXPECT_EQ(x.target_logprobs, y.target_logprobs) << where;
      EXPECT_EQ(x.logprob.id, y.logprob.id) << where;
      EXPECT_EQ(x.logprob.logprob, y.logprob.logprob) << where;
      EXPECT_EQ(x.logprob.top, y.logprob.top) << where;
    }
  }
}

Answers on_cpu(const ModelConfig& config, const PrecisionSetting& setting, KvType kv,
               const std::vector<Ask>& all) {
  CpuExecutor executor(config, DummyWeights(),
                       {.setting = &setting,
                        .kv = kv,
                        .ranks = 1,
                        .threads = 1,
                        .context = 256,
                        .pages = 24,
                        .max_rows = 48});
  return answer(executor, 24, all, 8, false);
}

struct CudaRun {
  std::string gemm, attention;
  std::int64_t batch = 8;
  std::int64_t rows = 48;
  bool prefix = false;
};

Answers on_cuda(const ModelConfig& config, const PrecisionSetting& setting, KvType kv,
                const std::vector<Ask>& all, const CudaRun& run) {
  CudaOptions options;
  options.gemm = run.gemm;
  options.attention = run.attention;
  options.context = 256;
  CudaPlan plan;
  plan.context = 256;
  plan.pages = 24;
  plan.max_batch = 8;
  plan.max_rows = run.rows;
  const auto executor = make_cuda_executor(config, DummyWeights(), setting, kv, options, plan, 1);
  return answer(*executor, plan.pages, all, run.batch, run.prefix);
}

/// A model with nothing that is a multiple of 128 and few layers.
ModelConfig odd_model() {
  ModelConfig config = known_shape("tiny");
  config.hidden = 64;
  config.intermediate = 172;
  config.heads = 8;
  config.kv_heads = 4;
  config.head_dim = 8;
  config.vocab = 300;
  config.layers = 2;
  return config;
}

TEST(WholeModelCuda, ExactKernelsGiveTheBitsOfTheCpuBackend) {
  const ModelConfig config = odd_model();
  const std::vector<Ask> all = asks(config.vocab, 70);
  const struct {
    const char* setting;
    KvType kv;
  } cases[] = {{"bf16", KvType::kBf16},
               {"bf16", KvType::kFp8},
               {"fp8", KvType::kFp8},
               {"fp8-tensor", KvType::kBf16},
               {"w8a16-fp8", KvType::kFp8},
               // Groups whose boundaries lie inside parts of 8 and 22 inputs.
               {"fp8-block", KvType::kBf16},
               {"int8", KvType::kFp8},
               {"int4-g128", KvType::kBf16},
               {"nvfp4", KvType::kBf16},
               {"mxfp4", KvType::kBf16},
               {"fp8[lm_head=fp8-block,layers.0.*=int4-g128,*.down_proj=bf16]", KvType::kBf16}};
  for (const auto& [name, kv] : cases) {
    const PrecisionSetting setting = find_setting(name);
    expect_same(on_cuda(config, setting, kv, all, {"exact", "exact"}),
                on_cpu(config, setting, kv, all), name);
  }
}

/// A model whose heads fit the tensor-core kernels, as small as they allow.
ModelConfig tensor_model() {
  ModelConfig config = known_shape("tiny");
  config.hidden = 136;
  config.intermediate = 140;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.vocab = 150;
  config.layers = 2;
  return config;
}

/// Largest difference of wanted log-probabilities at the prompts' positions, where both read the
/// same tokens.
double largest_difference(const Answers& a, const Answers& b, const std::vector<Ask>& all) {
  double largest = 0;
  for (std::size_t s = 0; s < a.of.size(); ++s) {
    const auto rows = static_cast<std::size_t>(static_cast<std::int64_t>(all[s].prompt.size()) -
                                               all[s].first_logit);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t t = 0; t < all[s].targets.size(); ++t) {
        largest = std::max(largest,
                           std::abs(a.of[s][i].target_logprobs[t] - b.of[s][i].target_logprobs[t]));
      }
    }
  }
  return largest;
}

TEST(WholeModelCuda, TensorCoresAgreeWithTheCpuAndResultsDoNotDependOnTheBatch) {
  const ModelConfig config = tensor_model();
  const std::vector<Ask> all = asks(config.vocab, 70);
  const struct {
    const char* setting;
    KvType kv;
    const char* gemm;
    // Random weights make flat distributions: one BF16 rounding of a value near one is 4e-3. FP8
    // sums of 13 fraction bits (2^-12 of their size) move one activation in some hundred across a
    // boundary between E4M3 codes, which are 2^-4 apart, and 136 inputs do not average that out.
    double tolerance = 8e-3;
  } cases[] = {{"bf16", KvType::kBf16, "mma"},      {"fp8", KvType::kFp8, "mma"},
               {"fp8-block", KvType::kBf16, "mma"}, {"int8", KvType::kBf16, "mma", 5e-2},
               {"int4-g128", KvType::kBf16, "mma"}, {"bf16", KvType::kFp8, "wgmma"},
               {"fp8", KvType::kFp8, "wgmma", 5e-2}};
  for (const auto& [name, kv, gemm, tolerance] : cases) {
    if (std::string_view(gemm) == "wgmma" && use_device(0).capability != 90) continue;
    const PrecisionSetting setting = find_setting(name);
    const Answers together = on_cuda(config, setting, kv, all, {gemm, "tensor"});
    const double difference = largest_difference(together, on_cpu(config, setting, kv, all), all);
    fmt::print("{} {}: largest difference of a log-probability {:.2e}\n", name, gemm, difference);
    EXPECT_LT(difference, tolerance) << name << " " << gemm;
    expect_same(on_cuda(config, setting, kv, all,
                        {.gemm = gemm, .attention = "tensor", .batch = 1, .rows = 8}),
                together, std::string(name) + " alone");
    expect_same(
        on_cuda(config, setting, kv, all,
                {.gemm = gemm, .attention = "tensor", .batch = 3, .rows = 17, .prefix = true}),
        together, std::string(name) + " by three with prefix cache");
  }
}

}  // namespace
}  // namespace assay::engine
