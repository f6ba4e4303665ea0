#include "engine/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/shapes.h"

namespace assay::engine {
namespace {

const StorageFormat& format(std::string_view setting) {
  const auto all = storage_formats();
  return *std::find_if(all.begin(), all.end(),
                       [&](const StorageFormat& f) { return f.setting == setting; });
}

TEST(MemoryPlan, WeightsInFp8AreThePublishedFigures) {
  // Gigabytes with BF16 embedding and output matrix, without row scales; a tied matrix counts once.
  const std::pair<const char*, double> rows[] = {{"llama-3.3-70b", 72.66},
                                                 {"llama-3.1-8b", 9.08},
                                                 {"llama-3.2-3b", 3.61},
                                                 {"llama-3.2-1b", 1.50}};
  for (const auto& [name, gigabytes] : rows) {
    const auto need = memory_need(known_shape(name), format("fp8-tensor"), 1, 8192);
    EXPECT_NEAR(static_cast<double>(need->weights) / 1e9, gigabytes, 0.01) << name;
  }
}

TEST(MemoryPlan, RowScalesAreFourBytesARow) {
  const ModelConfig config = known_shape("llama-3.1-8b");
  const std::int64_t rows = 4096 + 2 * 1024 + 4096 + 2 * 14336 + 4096;  // of a layer
  EXPECT_EQ(memory_need(config, format("fp8"), 1, 8192)->weights -
                memory_need(config, format("fp8-tensor"), 1, 8192)->weights,
            32 * 4 * (rows - 7));
}

TEST(MemoryPlan, CacheBytesFollowTheKeyValueHeads) {
  const std::pair<const char*, std::int64_t> rows[] = {
      {"llama-3.3-70b", 160}, {"llama-3.1-8b", 64}, {"llama-3.2-3b", 56}, {"llama-3.2-1b", 16}};
  for (const auto& [name, kibibytes] : rows) {
    const auto need = memory_need(known_shape(name), format("bf16"), 1, 8192);
    EXPECT_EQ(need->kv_per_token_fp8, kibibytes * 1024) << name;
    EXPECT_EQ(need->kv_per_token_bf16, kibibytes * 2048) << name;
  }
  const auto need = memory_need(known_shape("llama-3.1-405b"), format("fp8"), 16, 8192);
  EXPECT_EQ(need->kv_per_token_fp8, 2 * 126 * 128);  // one head a rank, replicated twice
}

TEST(MemoryPlan, UnquantizedWeightsAreTwoBytesAParameter) {
  for (const std::string& name : known_shape_names()) {
    const ModelConfig config = known_shape(name);
    EXPECT_EQ(memory_need(config, format("bf16"), 1, 8192)->weights, 2 * config.parameter_count());
  }
}

TEST(MemoryPlan, BuffersOfALargeStepAndImpossibleDegrees) {
  const ModelConfig config = known_shape("llama-3.3-70b");
  EXPECT_NEAR(static_cast<double>(memory_need(config, format("fp8"), 1, 8192)->buffers) / 1e9, 1.3,
              0.05);
  EXPECT_FALSE(memory_need(config, format("fp8"), 3, 8192));
}

}  // namespace
}  // namespace assay::engine
