// Whole models on the CUDA executor, in the emulation or on a device, against the CPU backend:
// loader, kernels, paging, sampling, log-probabilities.
#include <fmt/format.h>
#include <gtest/gtest.h>

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
using test::largest_difference;

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
