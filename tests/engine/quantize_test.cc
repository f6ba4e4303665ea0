// `assay quantize`: what it writes is what the setting makes on the fly, bit by bit; calibration.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/random.h"
#include "engine/calibrate.h"
#include "engine/ops/number.h"
#include "engine/quantize_checkpoint.h"
#include "engine/stored_matrix.h"
#include "engine/weight_sources.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;

// Groups and blocks end inside parts and panels.
const char* const kConfig = R"({"model_type": "llama", "hidden_size": 144, "num_hidden_layers": 2,
  "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 200, "vocab_size": 40,
  "max_position_embeddings": 64})";

/// A checkpoint of random BF16 weights.
void write_plain(const fs::path& folder) {
  std::ofstream(folder / "config.json") << kConfig;
  SplitMix64 random(5);
  std::vector<OutTensor> tensors;
  std::string data;
  for (const TensorSpec& spec : expected_tensors(parse_model_config(kConfig, "", "m"))) {
    tensors.push_back({spec.name, DType::kBf16, spec.shape});
    std::vector<bf16> values(static_cast<std::size_t>(tensors.back().bytes() / 2));
    for (bf16& value : values) {
      // Sums of four are closer to a normal variable; norms are near one.
      double sum = spec.shape.size() == 1 ? 10 : 0;
      for (int i = 0; i < 4; ++i) sum += random.uniform() - 0.5;
      value = float_to_bf16(static_cast<float>(sum * 0.1));
    }
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * 2);
  }
  std::ofstream(folder / "model.safetensors", std::ios::binary)
      << safetensors_header(tensors) << data;
}

std::vector<TokenId> some_ids() {
  SplitMix64 random(9);
  std::vector<TokenId> ids;
  for (int i = 0; i < 150; ++i) ids.push_back(static_cast<TokenId>(random.below(40)));
  return ids;
}

void expect_same_matrix(const PackedMatrix& a, const PackedMatrix& b, const std::string& what) {
  ASSERT_EQ(a.bytes(), b.bytes()) << what;
  EXPECT_EQ(std::memcmp(a.data.data(), b.data.data(), static_cast<std::size_t>(a.bytes())), 0)
      << what;
  EXPECT_EQ(a.row_scale, b.row_scale) << what;
  EXPECT_EQ(a.group_scale, b.group_scale) << what;
  EXPECT_EQ(a.zero_points, b.zero_points) << what;
  EXPECT_EQ(a.activations, b.activations) << what;
  EXPECT_EQ(a.input_scale, b.input_scale) << what;
}

void expect_same_model(const Model& a, const Model& b, const std::string& what) {
  for (std::size_t n = 0; n < a.layers.size(); ++n) {
    const LayerWeights& x = a.layers[n];
    const LayerWeights& y = b.layers[n];
    ASSERT_EQ(x.qkv.size(), y.qkv.size()) << what;
    for (std::size_t i = 0; i < x.qkv.size(); ++i) expect_same_matrix(x.qkv[i], y.qkv[i], what);
    expect_same_matrix(x.o, y.o, what);
    expect_same_matrix(x.gate, y.gate, what);
    expect_same_matrix(x.up, y.up, what);
    expect_same_matrix(x.down, y.down, what);
  }
  expect_same_matrix(a.lm_head, b.lm_head, what);
}

Model load(const Checkpoint& checkpoint, const WeightSource& source, const std::string& setting) {
  const ModelConfig& config = checkpoint.config();
  return load_model(config, make_partition(config, 1, 0), source, find_setting(setting), 64, 2);
}

TEST(Quantize, AWrittenCheckpointGivesTheBitsOfTheSettingOnTheFly) {
  const test::TemporaryFolder folder;
  write_plain(folder.path());
  const Checkpoint plain = Checkpoint::open(folder.path());
  const CheckpointWeights weights(plain);
  const Calibration calibration =
      calibrate(plain.config(), weights, some_ids(), {.kv_per_head = true, .threads = 2});
  const CalibratedWeights calibrated(weights, calibration);
  int count = 0;
  for (const char* name :
       {"fp8", "fp8-tensor", "fp8-static", "fp8-block", "w8a16-fp8", "int8", "int4-g128", "nvfp4",
        "mxfp4", "fp8[lm_head=w8a16-fp8,layers.0.*=bf16,*.down_proj=int4-g128,*.k_proj=nvfp4]"}) {
    const fs::path out = folder.path() / fmt::format("out{}", count++);
    const PrecisionSetting setting = find_setting(name);
    const WrittenCheckpoint written = write_quantized(plain, calibrated, setting, out, 2);
    EXPECT_GT(written.quantized, 0);
    const Checkpoint stored = Checkpoint::open(out);
    EXPECT_TRUE(stored.unused().empty());
    const CheckpointWeights read(stored);
    expect_same_model(load(plain, calibrated, name), load(stored, read, "checkpoint"), name);
    EXPECT_EQ(read.kv_scales(1).key, calibrated.kv_scales(1).key);
    EXPECT_EQ(read.kv_scales(1).value, calibrated.kv_scales(1).value);
  }
}

TEST(Quantize, AFolderThatHoldsSomethingAndAQuantizedSourceAreRefused) {
  const test::TemporaryFolder folder;
  write_plain(folder.path());
  const Checkpoint plain = Checkpoint::open(folder.path());
  const CheckpointWeights weights(plain);
  EXPECT_NE(test::error_message([&] {
              write_quantized(plain, weights, find_setting("fp8"), folder.path(), 1);
            }).find("empty"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] {
              write_quantized(plain, weights, find_setting("fp8[no_such=bf16]"),
                              folder.path() / "x", 1);
            }).find("no_such"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] {
              write_quantized(plain, weights, find_setting("fp8-static"), folder.path() / "y", 1);
            }).find("--calibrate"),
            std::string::npos);
}

TEST(Calibration, MethodsOrderTheirScalesAndReportWhatIsClipped) {
  const test::TemporaryFolder folder;
  write_plain(folder.path());
  const Checkpoint plain = Checkpoint::open(folder.path());
  const CheckpointWeights weights(plain);
  const Calibration whole = calibrate(plain.config(), weights, some_ids(), {.threads = 2});
  const Calibration most =
      calibrate(plain.config(), weights, some_ids(),
                {.method = CalibrationMethod::kPercentile, .percentile = 0.99, .threads = 2});
  const Calibration best = calibrate(plain.config(), weights, some_ids(),
                                     {.method = CalibrationMethod::kMse, .threads = 2});
  EXPECT_EQ(whole.tokens, 150);
  EXPECT_EQ(whole.inputs.size(), 14U);  // seven of each layer
  ASSERT_EQ(whole.report.size(), most.report.size());
  for (std::size_t i = 0; i < whole.report.size(); ++i) {
    EXPECT_EQ(whole.report[i].scale, e4m3_scale(whole.report[i].amax));
    EXPECT_EQ(whole.report[i].clipped, 0);
    EXPECT_LT(most.report[i].scale, whole.report[i].scale) << whole.report[i].name;
    EXPECT_NEAR(most.report[i].clipped, 0.01, 0.006) << whole.report[i].name;
    EXPECT_GE(best.report[i].snr_db, whole.report[i].snr_db);
    // E4M3 keeps four significant bits: about 31 dB.
    EXPECT_NEAR(whole.report[i].snr_db, 31, 3) << whole.report[i].name;
  }
}

TEST(Calibration, TheHistogramKnowsItsQuantiles) {
  MagnitudeHistogram h;
  for (int i = 1; i <= 1000; ++i) h.add((i % 2 == 0 ? 1.0F : -1.0F) * static_cast<float>(i));
  EXPECT_EQ(h.count(), 1000);
  EXPECT_EQ(h.largest(), 1000);
  EXPECT_NEAR(h.quantile(0.5), 500, 12);
  EXPECT_NEAR(h.quantile(0.99), 990, 22);
  EXPECT_NEAR(h.share_above(900), 0.1, 0.03);
  h.add(std::nanf(""));
  h.add(INFINITY);
  EXPECT_EQ(h.not_finite(), 2);
}

TEST(Settings, OverridesAreParsedMatchedAndNamed) {
  const PrecisionSetting setting =
      find_setting("fp8[lm_head=bf16,layers.0.*=int8,*.down_proj=bf16]");
  EXPECT_EQ(setting.name, "fp8[lm_head=bf16,layers.0.*=int8,*.down_proj=bf16]");
  EXPECT_EQ(setting_of_module(setting, "lm_head"), "bf16");
  EXPECT_EQ(setting_of_module(setting, "model.layers.0.self_attn.q_proj"), "int8");
  EXPECT_EQ(setting_of_module(setting, "model.layers.0.mlp.down_proj"), "bf16") << "the last wins";
  EXPECT_EQ(setting_of_module(setting, "model.layers.10.mlp.up_proj"), "fp8");
  EXPECT_TRUE(module_matches("*", "lm_head"));
  EXPECT_TRUE(module_matches("layers.*.q_proj", "model.layers.3.self_attn.q_proj"));
  EXPECT_FALSE(module_matches("layers.1.*", "model.layers.11.mlp.up_proj"));
  for (const char* bad :
       {"fp8[", "fp8[]x", "fp8[a]", "fp8[=bf16]", "fp8[a=]", "fp8[a=fp9]", "x[]"}) {
    EXPECT_NE(test::error_message([&] { (void)find_setting(bad); }), "") << bad;
  }
}

}  // namespace
}  // namespace assay::engine
