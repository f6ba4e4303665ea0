// Checkpoints in every public format, written here from its description: tensor names, types,
// shapes, packing and the direction of scales. What is loaded must be the values that were written.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "engine/checkpoint.h"
#include "engine/generator.h"
#include "engine/ops/number.h"
#include "engine/weight_sources.h"
#include "tests/engine/quant_files.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using namespace test_files;  // NOLINT(google-build-using-namespace): this test is about them

class QuantFormat : public testing::TestWithParam<Case> {};

TEST_P(QuantFormat, DequantizedWeightsAreExactlyWhatWasWritten) {
  const test::TemporaryFolder folder;
  const FileModel m = make_model(GetParam().quantization, GetParam().encode);
  save(m, folder.path());
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  EXPECT_TRUE(checkpoint.unused().empty());
  const CheckpointWeights weights(checkpoint);
  EXPECT_EQ(weights.codes("lm_head"), nullptr);
  for (const MatrixSize& size : matrices()) {
    ASSERT_NE(weights.codes(size.module), nullptr) << size.module;
    std::vector<float> row(static_cast<std::size_t>(size.cols));
    for (std::int64_t r = 0; r < size.rows; ++r) {
      weights.read_row(size.module + ".weight", r, row);
      for (std::size_t c = 0; c < row.size(); ++c) {
        const float expected =
            m.expected.at(size.module)[static_cast<std::size_t>(r * size.cols) + c];
        // A division by the stored factor is a multiplication by its reciprocal, which is exact
        // here: the factor is a power of two.
        ASSERT_EQ(row[c], expected) << size.module << " " << r << " " << c;
      }
    }
  }
}

TEST_P(QuantFormat, EveryTensorThatIsMissingOrMisnamedIsNamed) {
  const test::TemporaryFolder folder;
  const FileModel m = make_model(GetParam().quantization, GetParam().encode);
  for (const auto& [name, tensor] : m.tensors) {
    const std::string part = name.substr(name.rfind('.') + 1);
    if (name.find("up_proj") == std::string::npos || part == "g_idx" || part == "weight_shape") {
      continue;
    }
    for (const bool renamed : {false, true}) {
      FileModel spoilt = m;
      spoilt.tensors.erase(name);
      if (renamed) spoilt.tensors[name + "_scales"] = tensor;
      save(spoilt, folder.path());
      const std::string error = test::error_message([&] { (void)Checkpoint::open(folder.path()); });
      EXPECT_NE(error.find(name), std::string::npos) << error;
    }
  }
  FileModel extra = m;
  extra.tensors["model.layers.0.mlp.up_proj.other_scale"] = {"F32", {1}, std::string(4, '\0')};
  save(extra, folder.path());
  EXPECT_NE(test::error_message([&] {
              (void)Checkpoint::open(folder.path());
            }).find("up_proj.other_scale"),
            std::string::npos);
}

/// Every scale set to zero, a negative number, NaN.
TEST_P(QuantFormat, AnUnusableScaleIsNamed) {
  const test::TemporaryFolder folder;
  const FileModel m = make_model(GetParam().quantization, GetParam().encode);
  for (const auto& [name, tensor] : m.tensors) {
    if (name.find("up_proj") == std::string::npos || name.find("scale") == std::string::npos) {
      continue;
    }
    FileModel spoilt = m;
    for (char& byte : spoilt.tensors[name].bytes) byte = static_cast<char>(0xFF);  // NaN
    save(spoilt, folder.path());
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    const std::string error =
        test::error_message([&] { const CheckpointWeights weights(checkpoint); });
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, QuantFormat, testing::ValuesIn(cases()),
                         [](const auto& p) { return p.param.name; });

/// One case by name.
Case find_case(const std::string& name) {
  for (const Case& one : cases()) {
    if (one.name == name) return one;
  }
  return {};
}

TEST(QuantConfig, KvScalesAreReadUnderEveryNameAndAHalfPairIsNamed) {
  const Case base = find_case("compressed_fp8_static");
  const std::string p = "model.layers.0.self_attn.";
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"k_scale", "v_scale"},
           {"k_proj.k_scale", "v_proj.v_scale"},
           {"k_proj.output_scale", "v_proj.output_scale"},
           {"kv_scale", "kv_scale"}}) {
    const test::TemporaryFolder folder;
    FileModel m = make_model(base.quantization, base.encode);
    m.tensors[p + key] = {"F32", {1}, bytes_of(std::vector<float>{0.25F})};
    if (key != value) m.tensors[p + value] = {"F32", {}, bytes_of(std::vector<float>{0.5F})};
    save(m, folder.path());
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    const KvScales scales = CheckpointWeights(checkpoint).kv_scales(0);
    ASSERT_EQ(scales.key.size(), 1U);
    EXPECT_EQ(scales.key[0], 0.25F);
    EXPECT_EQ(scales.value[0], key == value ? 0.25F : 0.5F);
    if (key == value) continue;
    m.tensors.erase(p + value);
    save(m, folder.path());
    const Checkpoint half = Checkpoint::open(folder.path());
    EXPECT_NE(test::error_message([&] { const CheckpointWeights w(half); }).find(value),
              std::string::npos);
  }
}

TEST(QuantConfig, IgnoredModulesStayPlainByNameByFolderAndByPattern) {
  for (const char* entry : {"model.layers.0.self_attn.q_proj", "re:.*q_proj$", "*q_proj",
                            "re:model\\\\.layers\\\\.0\\\\.self_attn\\\\.q.*"}) {
    const test::TemporaryFolder folder;
    Case base = find_case("compressed_fp8_dynamic");
    const std::string list = fmt::format("[\"lm_head\", \"{}\"]", entry);
    base.quantization.replace(base.quantization.find("[\"lm_head\"]"), 11, list);
    SplitMix64 random(3);
    FileModel m = make_model(base.quantization, base.encode);
    const std::string q = "model.layers.0.self_attn.q_proj";
    m.tensors.erase(q + ".weight_scale");
    m.tensors[q + ".weight"] = {"BF16", {kHidden, kHidden}, random_bf16(random, kHidden * kHidden)};
    save(m, folder.path());
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    const CheckpointWeights weights(checkpoint);
    EXPECT_EQ(weights.codes(q), nullptr) << entry;
    EXPECT_NE(weights.codes("model.layers.0.self_attn.k_proj"), nullptr) << entry;
  }
}

// Configs are untrusted: what is not understood is an error and never a guess.
TEST(QuantConfig, WhatIsNotUnderstoodIsAnError) {
  const Case base = find_case("compressed_fp8_dynamic");
  const struct {
    const char* what;
    std::string config;
  } configs[] = {
      {"method", R"({"quant_method": "exl3"})"},
      {"no groups", R"({"quant_method": "compressed-tensors"})"},
      {"group type", R"({"quant_method": "compressed-tensors", "config_groups": {"a": 1}})"},
      {"negative block", R"({"quant_method": "fp8", "weight_block_size": [-1, 128]})"},
      {"huge block", R"({"quant_method": "fp8", "weight_block_size": [128, 9223372036854775807]})"},
      {"group 0", R"({"quant_method": "gptq", "bits": 4, "group_size": 0})"},
      {"bits", R"({"quant_method": "gptq", "bits": 3, "group_size": 128})"},
      {"bound", R"({"quant_method": "fbgemm_fp8", "activation_scale_ub": -1})"},
      {"algorithm", R"({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"})"},
      {"awq gemv", R"({"quant_method": "awq", "bits": 4, "version": "gemv"})"},
      {"sparse", R"({"quant_method": "compressed-tensors", "sparsity_config":
          {"format": "sparse-24-bitmask"}, "config_groups": {}})"},
      {"expensive pattern", R"({"quant_method": "fp8", "modules_to_not_convert":
          ["re:(.*.*.*.*.*.*.*.*.*.*.*.*.*.*)*\u0001"]})"},
      {"broken pattern", R"({"quant_method": "fp8", "modules_to_not_convert": ["re:("]})"},
  };
  for (const auto& [what, config] : configs) {
    const test::TemporaryFolder folder;
    FileModel m = make_model(config, base.encode);
    save(m, folder.path());
    EXPECT_NE(test::error_message([&] { (void)Checkpoint::open(folder.path()); }), "") << what;
  }
}

TEST(QuantConfig, NanCodesAndPermutedInputsAndAmbiguousZeroPointsAreNamed) {
  const test::TemporaryFolder folder;
  Case base = find_case("fp8_dynamic");
  FileModel m = make_model(base.quantization, base.encode);
  m.tensors["model.layers.0.mlp.up_proj.weight"].bytes[5] = 0x7F;
  save(m, folder.path());
  {
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    const CheckpointWeights weights(checkpoint);
    std::vector<float> row(kHidden);
    EXPECT_NE(test::error_message([&] {
                weights.read_row("model.layers.0.mlp.up_proj.weight", 0, row);
              }).find("up_proj.weight"),
              std::string::npos);
  }
  base = find_case("gptq");
  m = make_model(base.quantization, base.encode);
  FileModel permuted = m;
  permuted.tensors["model.layers.0.mlp.up_proj.g_idx"].bytes[0] = 1;
  save(permuted, folder.path());
  const Checkpoint order = Checkpoint::open(folder.path());
  EXPECT_NE(test::error_message([&] { const CheckpointWeights w(order); }).find("g_idx"),
            std::string::npos);
  m.tensors["model.layers.0.mlp.up_proj.qzeros"].bytes[0] = static_cast<char>(0xFF);
  save(m, folder.path());
  const Checkpoint zeros = Checkpoint::open(folder.path());
  const CheckpointWeights weights(zeros);
  std::vector<float> row(kHidden);
  EXPECT_NE(test::error_message([&] {
              weights.read_row("model.layers.0.mlp.up_proj.weight", 0, row);
            }).find("qzeros"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::engine
