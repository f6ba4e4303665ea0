// Whole models on the CUDA executor, in the emulation or on a device, against the CPU backend:
// loader, kernels, paging, sampling, log-probabilities.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string_view>
#include <vector>

#include "engine/cpu_executor.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/runtime.h"
#include "engine/shapes.h"
#include "engine/weight_sources.h"
#include "tests/engine/answers.h"

namespace assay::engine {
namespace {

using test::Answers;
using test::Ask;
using test::asks;
using test::expect_same;

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
  return test::answer(executor, 24, all, 8, false);
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
  return test::answer(*executor, plan.pages, all, run.batch, run.prefix);
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

TEST(ExactModelCuda, GivesTheBitsOfTheCpuBackend) {
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

/// How two answers to the same tokens differ, over the prompts' positions; every sequence asks for
/// the whole vocabulary.
struct Difference {
  double mean_kl = 0;  // of the second's next-token distribution from the first's, in nats
  double largest = 0;  // of a log-probability
  int positions = 0;
};
Difference difference_of(const Answers& a, const Answers& b, const std::vector<Ask>& all) {
  Difference out;
  for (std::size_t s = 0; s < a.of.size(); ++s) {
    const auto rows = static_cast<std::size_t>(static_cast<std::int64_t>(all[s].prompt.size()) -
                                               all[s].first_logit);
    for (std::size_t i = 0; i < rows; ++i) {
      double kl = 0;
      for (std::size_t t = 0; t < all[s].targets.size(); ++t) {
        const double x = a.of[s][i].target_logprobs[t];
        const double delta = x - b.of[s][i].target_logprobs[t];
        kl += std::exp(x) * delta;
        out.largest = std::max(out.largest, std::abs(delta));
      }
      out.mean_kl += kl;
      ++out.positions;
    }
  }
  out.mean_kl /= out.positions;
  return out;
}

/// The best token must be the same wherever it leads by more than twice the tolerance.
void expect_same_leaders(const Answers& a, const Answers& b, const std::vector<Ask>& all,
                         double tolerance) {
  for (std::size_t s = 0; s < a.of.size(); ++s) {
    const auto rows = static_cast<std::size_t>(static_cast<std::int64_t>(all[s].prompt.size()) -
                                               all[s].first_logit);
    for (std::size_t i = 0; i < rows; ++i) {
      std::vector<double> best(a.of[s][i].target_logprobs.begin(),
                              a.of[s][i].target_logprobs.end());
      std::partial_sort(best.begin(), best.begin() + 2, best.end(), std::greater<>());
      if (best[0] - best[1] <= 2 * tolerance) continue;
      EXPECT_EQ(a.of[s][i].argmax, b.of[s][i].argmax) << "sequence " << s << ", row " << i;
    }
  }
}

/// Tolerances are those of docs/cuda.md ("Agreement"): `mean_kl` in nats for every setting, and for
/// quantized ones a share of what the setting itself does to the model on the CPU. Sums that
/// quantization noise hides are as good as exact ones.
struct Case {
  const char* setting;
  KvType kv;
  const char* gemm;
  double mean_kl;
  double share = 0.1;
  double largest = 8e-3;  // of a log-probability: two roundings of a BF16 value near one
};
// FP8 sums of 13 fraction bits are off by about 2^-12 of the products' magnitudes, which moves one
// activation in some 256 across a boundary between E4M3 codes, 2^-4 apart. Quantization moves every
// one by 1/12 of the square of that step: 12/256 of its noise comes on top for sums as large
// as their products, some times that for sums that cancel. No log-probability may move by more than
// the setting moves one.
constexpr double kShortSumsShare = 0.5;

void PrintTo(const Case& c, std::ostream* out) { *out << c.setting << " " << c.gemm; }

class WholeModelCuda : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam().gemm) == "wgmma" && use_device(0).capability != 90) {
      GTEST_SKIP() << "needs compute capability 9.0";
    }
  }
  const ModelConfig config_ = tensor_model();
};

TEST_P(WholeModelCuda, TensorCoresAgreeWithTheCpu) {
  const Case& c = GetParam();
  std::vector<Ask> all = asks(config_.vocab, 70);
  for (Ask& ask : all) {
    ask.targets.resize(static_cast<std::size_t>(config_.vocab));
    std::iota(ask.targets.begin(), ask.targets.end(), 0);
  }
  const PrecisionSetting setting = find_setting(c.setting);
  const Answers expected = on_cpu(config_, setting, c.kv, all);
  const Answers got = on_cuda(config_, setting, c.kv, all, {c.gemm, "tensor"});
  const Difference difference = difference_of(expected, got, all);
  const Answers plain = on_cpu(config_, find_setting("bf16"), KvType::kBf16, all);
  const Difference price = difference_of(plain, expected, all);
  fmt::print(
      "{} {}: mean KL {:.2e}, largest difference of a log-probability {:.2e}; the setting itself: "
      "{:.2e}, {:.2e}\n",
      c.setting, c.gemm, difference.mean_kl, difference.largest, price.mean_kl, price.largest);
  const double largest = c.largest > 0 ? c.largest : price.largest;
  EXPECT_LT(difference.mean_kl, c.mean_kl);
  EXPECT_LT(difference.largest, largest);
  if (std::string_view(c.setting) != "bf16") {
    EXPECT_LT(difference.mean_kl, c.share * price.mean_kl);
  }
  expect_same_leaders(expected, got, all, largest);
}

TEST_P(WholeModelCuda, ResultsDoNotDependOnTheBatch) {
  const Case& c = GetParam();
  const std::vector<Ask> all = asks(config_.vocab, 70);
  const PrecisionSetting setting = find_setting(c.setting);
  const Answers together = on_cuda(config_, setting, c.kv, all, {c.gemm, "tensor"});
  expect_same(on_cuda(config_, setting, c.kv, all,
                      {.gemm = c.gemm, .attention = "tensor", .batch = 1, .rows = 8}),
              together, "alone");
  expect_same(
      on_cuda(config_, setting, c.kv, all,
              {.gemm = c.gemm, .attention = "tensor", .batch = 3, .rows = 17, .prefix = true}),
      together, "by three with prefix cache");
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string out = fmt::format("{}_{}", info.param.setting, info.param.gemm);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}
INSTANTIATE_TEST_SUITE_P(
    Settings, WholeModelCuda,
    testing::Values(Case{"bf16", KvType::kBf16, "mma", 1e-4},
                    Case{"fp8", KvType::kFp8, "mma", 1e-3},
                    Case{"fp8-block", KvType::kBf16, "mma", 1e-3},
                    Case{"int8", KvType::kBf16, "mma", 1e-3},
                    Case{"int4-g128", KvType::kBf16, "mma", 1e-3},
                    Case{"bf16", KvType::kFp8, "wgmma", 1e-4},
                    Case{"fp8", KvType::kFp8, "wgmma", 1e-3, kShortSumsShare, 0}),
    name_of);

}  // namespace
}  // namespace assay::engine
