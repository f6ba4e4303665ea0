#include "engine/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "engine/shapes.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A small valid configuration; cases below add or replace one member.
const char* const kValid = R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",
  "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4,
  "intermediate_size": 172, "vocab_size": 512, "max_position_embeddings": 128,
  "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2})";

/// The valid configuration with one member set to the given JSON.
std::string with(std::string_view key, std::string_view value) {
  Json json = parse_json(kValid, "base");
  json.set(key, parse_json(std::string(value), "value"));
  return json.dump();
}

ModelConfig parse(const std::string& text, const std::string& generation = "") {
  return parse_model_config(text, generation, "m");
}

TEST(ModelConfig, ParameterCountsAreThoseOfTheModelCards) {
  EXPECT_EQ(known_shape("tiny").vocab, 512);
  EXPECT_EQ(known_shape("llama-3.2-1b").parameter_count(), 1235814400);
  EXPECT_EQ(known_shape("llama-3.2-3b").parameter_count(), 3212749824);
  EXPECT_EQ(known_shape("llama-3.1-8b").parameter_count(), 8030261248);
  EXPECT_EQ(known_shape("llama-3.3-70b").parameter_count(), 70553706496);
  EXPECT_EQ(known_shape("llama-3.1-405b").parameter_count(), 405853388800);
}

TEST(ModelConfig, UnknownShapeNameSuggestsAKnownOne) {
  EXPECT_THAT(test::error_message([] { known_shape("llama-3.1-70b"); }),
              HasSubstr("llama-3.3-70b"));
}

TEST(ModelConfig, DefaultsFillWhatAConfigLeavesOut) {
  const ModelConfig config = parse(kValid);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_FALSE(config.tied);
  EXPECT_EQ(config.rope.kind, RopeKind::kDefault);
  EXPECT_EQ(config.bos, 1);
  EXPECT_THAT(config.stop_ids, ElementsAre(2));
  EXPECT_EQ(parse(with("num_key_value_heads", "null")).kv_heads, 8);
}

TEST(ModelConfig, GenerationConfigDecidesTheStopIds) {
  EXPECT_THAT(parse(kValid, R"({"eos_token_id": [5, 6, 5], "temperature": 0.6})").stop_ids,
              ElementsAre(5, 6));
  EXPECT_THAT(parse(kValid, R"({"bos_token_id": 1})").stop_ids, ElementsAre(2));
  EXPECT_THAT(test::error_message([] { parse(kValid, R"({"eos_token_id": 512})"); }),
              HasSubstr("m/generation_config.json:1:18: eos_token_id: must be a token id"));
}

TEST(ModelConfig, BothSpellingsOfRopeScalingAgree) {
  const char* scaling = R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})";
  const char* parameters = R"({"rope_theta": 10000, "rope_type": "llama3", "factor": 8.0,
    "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})";
  const RopeConfig old_form = parse(with("rope_scaling", scaling)).rope;
  EXPECT_EQ(old_form.kind, RopeKind::kLlama3);
  EXPECT_EQ(old_form, parse(with("rope_parameters", parameters)).rope);
  EXPECT_EQ(parse(with("rope_scaling", R"({"type": "linear", "factor": 2})")).rope.factor, 2);
}

struct Refused {
  const char* key;
  const char* value;
  const char* reason;
};

// One line for each way in which a configuration can be unusable.
const Refused kRefused[] = {
    {"architectures", R"(["MistralForCausalLM"])", "only LlamaForCausalLM"},
    {"architectures", R"("LlamaForCausalLM")", "must be a list"},
    {"model_type", R"("mistral")", "only \"llama\""},
    {"hidden_act", R"("gelu")", "only \"silu\""},
    {"hidden_size", "0", "must be an integer from 1"},
    {"hidden_size", "64.0", "must be an integer"},
    {"hidden_size", "null", "must not be null"},
    {"hidden_size", "65", "not divisible"},
    {"hidden_size", "99999999999", "must be an integer from 1"},
    {"num_hidden_layers", "-1", "must be an integer"},
    {"num_key_value_heads", "3", "does not divide"},
    {"head_dim", "7", "odd"},
    {"rms_norm_eps", "0", "must be a number from"},
    {"rms_norm_eps", R"("1e-5")", "must be a number"},
    {"rope_theta", "0.5", "must be a number from"},
    {"tie_word_embeddings", "1", "true or false"},
    {"eos_token_id", "512", "token id from 0 to 511"},
    {"eos_token_id", "[2, -1]", "token id from 0 to 511"},
    {"bos_token_id", "1.5", "token id"},
    {"rope_scaling", R"({"rope_type": "yarn", "factor": 2})", "\"yarn\" is not supported"},
    {"rope_scaling", R"({"rope_type": "llama3", "factor": 8})", "low_freq_factor"},
    {"rope_scaling", R"({"type": "linear"})", "factor"},
    {"rope_scaling", R"({"type": "linear", "factor": 0.5})", "must be a number from 1"},
    {"rope_scaling", R"({"type": "linear", "factor": 2, "beta": 1})", "beta: is not supported"},
    {"rope_scaling",
     R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
         "original_max_position_embeddings": 8192})",
     "greater than low_freq_factor"},
    {"sliding_window", "4096", "changes the result"},
    {"num_local_experts", "8", "changes the result"},
    {"partial_rotary_factor", "0.5", "changes the result"},
    {"auto_map", R"({"AutoModel": "x.y"})", "code from the repository"},
    {"quantization_config", R"("fp8")", "must be an object"},
};

TEST(ModelConfig, EveryUnusableFieldIsNamed) {
  for (const Refused& refused : kRefused) {
    const std::string message =
        test::error_message([&] { parse(with(refused.key, refused.value)); });
    EXPECT_THAT(message, HasSubstr("m/config.json:1:")) << refused.key << " " << refused.value;
    EXPECT_THAT(message, HasSubstr(refused.reason)) << refused.key << " " << refused.value;
  }
}

TEST(ModelConfig, NeutralForeignFieldsAndUnknownOnesAreAccepted) {
  EXPECT_EQ(parse(with("sliding_window", "null")), parse(kValid));
  EXPECT_EQ(parse(with("partial_rotary_factor", "1.0")), parse(kValid));
  EXPECT_EQ(parse(with("layer_types", R"(["full_attention", "full_attention"])")), parse(kValid));
  EXPECT_EQ(parse(with("something_new", "3")), parse(kValid));
}

TEST(ModelConfig, DuplicateKeysAndBadNumbersAreErrors) {
  const std::string valid = kValid;
  EXPECT_THAT(test::error_message([&] { parse(R"({"hidden_size": 1, "hidden_size": 2})"); }),
              HasSubstr("stands twice"));
  EXPECT_NE(test::error_message([&] {
              parse(replace_all(valid, "\"rms_norm_eps\": 1e-5", "\"rms_norm_eps\": NaN"));
            }),
            "");
  EXPECT_NE(test::error_message([&] {
              parse(replace_all(valid, "\"rope_theta\": 10000.0", "\"rope_theta\": 1e999"));
            }),
            "");
  for (std::size_t cut = 0; cut < valid.size(); ++cut) {
    EXPECT_NE(test::error_message([&] { parse(valid.substr(0, cut)); }), "") << cut;
  }
}

TEST(ModelConfig, QuantizedFormatsAreRecognised) {
  const auto format = [](const char* quantization) {
    return parse(with("quantization_config", quantization)).quant_format;
  };
  EXPECT_EQ(parse(kValid).quant_format, QuantFormat::kNone);
  EXPECT_EQ(format(R"({"quant_method": "fp8", "activation_scheme": "static"})"), QuantFormat::kFp8);
  EXPECT_EQ(format(R"({"quant_method": "compressed-tensors", "format": "float-quantized"})"),
            QuantFormat::kCompressedTensors);
  EXPECT_EQ(format(R"({"quant_method": "bitsandbytes"})"), QuantFormat::kOther);
}

TEST(ModelConfig, TheSmallModelsHaveTheirDocumentedParameterCounts) {
  ASSAY_SHARED_OR_SKIP(models, "models");
  EXPECT_EQ(load_model_config(models / "stories260K").parameter_count(), 260032);
  EXPECT_EQ(load_model_config(models / "aidreams260K").parameter_count(), 230976);
}

}  // namespace
}  // namespace assay::engine
