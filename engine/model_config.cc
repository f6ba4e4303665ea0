#include "engine/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/object_reader.h"
#include "base/text.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 22;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHeads = 4096;
constexpr std::int64_t kMaxHeadDim = 4096;
constexpr std::int64_t kMaxContext = std::int64_t{1} << 28;

// Keys that say nothing about the result of the forward pass.
constexpr std::array kHarmlessKeys = {"_name_or_path",
                                      "_attn_implementation_autoset",
                                      "architectures",
                                      "attention_dropout",
                                      "attn_implementation",
                                      "bad_words_ids",
                                      "chunk_size_feed_forward",
                                      "compression_config",
                                      "dtype",
                                      "hidden_dropout",
                                      "id2label",
                                      "initializer_range",
                                      "is_decoder",
                                      "is_encoder_decoder",
                                      "label2id",
                                      "language",
                                      "max_sequence_length",
                                      "output_attentions",
                                      "output_hidden_states",
                                      "pad_token_id",
                                      "pretraining_tp",
                                      "return_dict",
                                      "task_specific_params",
                                      "tie_encoder_decoder",
                                      "tokenizer_class",
                                      "torch_dtype",
                                      "torchscript",
                                      "transformers_version",
                                      "unk_token_id",
                                      "unsloth_fixed",
                                      "unsloth_version",
                                      "use_bfloat16",
                                      "use_cache",
                                      "_commit_hash"};

// Keys of other architectures: any value but null, false, 0, 1 for factors or an empty list changes
// the result, so it is refused.
constexpr std::array kForeignKeys = {"attention_chunk_size",
                                     "attention_multiplier",
                                     "attn_logit_softcapping",
                                     "auto_map",
                                     "clip_qkv",
                                     "embedding_multiplier",
                                     "final_logit_softcapping",
                                     "layer_types",
                                     "logit_scale",
                                     "logits_scaling",
                                     "no_rope_layers",
                                     "num_experts",
                                     "num_experts_per_tok",
                                     "num_local_experts",
                                     "partial_rotary_factor",
                                     "qk_layernorm",
                                     "qk_norm",
                                     "query_pre_attn_scalar",
                                     "residual_multiplier",
                                     "scale_depth",
                                     "scale_emb",
                                     "dim_model_base",
                                     "sliding_window",
                                     "use_qk_norm",
                                     "use_sliding_window"};

constexpr std::array kFactorKeys = {
    "attention_multiplier",  "embedding_multiplier", "logit_scale", "logits_scaling",
    "partial_rotary_factor", "residual_multiplier",  "scale_emb"};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// ObjectReader that takes a null for an absent key, as writers of these files mean it.
class ConfigReader {
 public:
  ConfigReader(const Json& object, const JsonSource& source, std::string path)
      : reader_(object, source, std::move(path)) {}

  const Json* optional(std::string_view key) {
    known_.emplace_back(key);
    const Json* value = reader_.optional(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  std::int64_t positive(std::string_view key, std::int64_t high) {
    if (optional(key) == nullptr) {
      throw_missing(key);
    }
    return reader_.integer(key, 0, 1, high);
  }
  std::int64_t positive_or(std::string_view key, std::int64_t fallback, std::int64_t high) {
    return optional(key) == nullptr ? fallback : reader_.integer(key, fallback, 1, high);
  }
  /// A finite number in [low, high].
  double number(std::string_view key, double fallback, double low, double high) {
    const Json* value = optional(key);
    if (value == nullptr) return fallback;
    const double number = reader_.number(key, fallback);
    if (!(number >= low && number <= high)) {
      reader_.fail(*value, key, fmt::format("must be a number from {} to {}", low, high));
    }
    return number;
  }
  bool boolean(std::string_view key, bool fallback) {
    return optional(key) == nullptr ? fallback : reader_.boolean(key, fallback);
  }
  std::string string(std::string_view key, std::string_view fallback) {
    return optional(key) == nullptr ? std::string(fallback) : reader_.string(key, fallback);
  }
  [[noreturn]] void throw_missing(std::string_view key) {
    reader_.required(key);  // throws when the key is absent
    fail(*reader_.optional(key), key, "must not be null");
  }
  [[noreturn]] void fail(const Json& at, std::string_view key, std::string_view reason) const {
    reader_.fail(at, key, reason);
  }
  [[nodiscard]] bool knows(std::string_view key) const { return contains(known_, key); }

 private:
  ObjectReader reader_;
  std::vector<std::string> known_;
};

void check_architecture(ConfigReader& reader) {
  const Json* architectures = reader.optional("architectures");
  if (architectures != nullptr) {
    if (!architectures->is_array()) {
      reader.fail(*architectures, "architectures", "must be a list of names");
    }
    for (const Json& name : architectures->as_array()) {
      if (!name.is_string() || name.as_string() != "LlamaForCausalLM") {
        reader.fail(
            name, "architectures",
            fmt::format("{} is not supported, only LlamaForCausalLM is", escaped(name.dump())));
      }
    }
  }
  const std::string type = reader.string("model_type", "llama");
  if (type != "llama") {
    reader.fail(*reader.optional("model_type"), "model_type",
                fmt::format("\"{}\" is not supported, only \"llama\" is", escaped(type)));
  }
  const std::string act = reader.string("hidden_act", "silu");
  if (act != "silu") {
    reader.fail(*reader.optional("hidden_act"), "hidden_act",
                fmt::format("\"{}\" is not supported, only \"silu\" is", escaped(act)));
  }
}

void read_shape(ConfigReader& reader, ModelConfig& config) {
  config.hidden = reader.positive("hidden_size", kMaxWidth);
  config.layers = reader.positive("num_hidden_layers", kMaxLayers);
  config.heads = reader.positive("num_attention_heads", kMaxHeads);
  config.kv_heads = reader.positive_or("num_key_value_heads", config.heads, kMaxHeads);
  if (config.heads % config.kv_heads != 0) {
    reader.fail(
        *reader.optional("num_key_value_heads"), "num_key_value_heads",
        fmt::format("{} does not divide num_attention_heads {}", config.kv_heads, config.heads));
  }
  const Json* head_dim = reader.optional("head_dim");
  if (head_dim == nullptr && config.hidden % config.heads != 0) {
    reader.fail(
        *reader.optional("hidden_size"), "hidden_size",
        fmt::format("{} is not divisible by num_attention_heads {} and there is no head_dim",
                    config.hidden, config.heads));
  }
  config.head_dim = reader.positive_or("head_dim", config.hidden / config.heads, kMaxHeadDim);
  if (config.head_dim % 2 != 0) {
    reader.fail(head_dim != nullptr ? *head_dim : *reader.optional("hidden_size"), "head_dim",
                fmt::format("{} is odd, rotary embedding needs an even size", config.head_dim));
  }
  config.intermediate = reader.positive("intermediate_size", kMaxWidth);
  config.vocab = reader.positive("vocab_size", kMaxWidth);
  config.max_position = reader.positive("max_position_embeddings", kMaxContext);
  config.rms_eps = reader.number("rms_norm_eps", 1e-6, 1e-12, 1);
  config.tied = reader.boolean("tie_word_embeddings", false);
  config.attention_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
}

RopeKind rope_kind(ConfigReader& reader) {
  const Json* named = reader.optional("rope_type");
  const Json* older = reader.optional("type");
  const Json* value = named != nullptr ? named : older;
  if (value == nullptr) return RopeKind::kDefault;
  if (!value->is_string()) reader.fail(*value, "rope_type", "must be a string");
  const std::string& name = value->as_string();
  if (named != nullptr && older != nullptr && !(*named == *older)) {
    reader.fail(*older, "type", "contradicts rope_type");
  }
  if (name == "default") return RopeKind::kDefault;
  if (name == "linear") return RopeKind::kLinear;
  if (name == "llama3") return RopeKind::kLlama3;
  reader.fail(
      *value, "rope_type",
      fmt::format("\"{}\" is not supported: default, linear and llama3 are", escaped(name)));
}

void refuse_unknown_rope_keys(const ConfigReader& reader, const Json& object) {
  for (const auto& [key, value] : object.as_object()) {
    if (!reader.knows(key) && !value.is_null()) reader.fail(value, key, "is not supported");
  }
}

/// `object` is rope_scaling, or rope_parameters that holds rope_theta too.
void read_rope_object(const Json& object, const JsonSource& source, const std::string& path,
                      RopeConfig& rope) {
  ConfigReader reader(object, source, path);
  rope.theta = reader.number("rope_theta", rope.theta, 1.0, 1e12);
  rope.kind = rope_kind(reader);
  const double factor = reader.number("factor", 1, 1, 1e6);
  const double low = reader.number("low_freq_factor", 1, 1e-6, 1e6);
  const double high = reader.number("high_freq_factor", 4, 1e-6, 1e6);
  const std::int64_t original =
      reader.positive_or("original_max_position_embeddings", 8192, kMaxContext);
  refuse_unknown_rope_keys(reader, object);
  if (rope.kind == RopeKind::kDefault) return;
  if (reader.optional("factor") == nullptr) reader.throw_missing("factor");
  rope.factor = factor;
  if (rope.kind == RopeKind::kLinear) return;
  for (const auto* key :
       {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    if (reader.optional(key) == nullptr) reader.throw_missing(key);
  }
  if (low >= high) {
    reader.fail(*reader.optional("high_freq_factor"), "high_freq_factor",
                fmt::format("{} must be greater than low_freq_factor {}", high, low));
  }
  rope.low_freq_factor = low;
  rope.high_freq_factor = high;
  rope.original_context = original;
}

RopeConfig read_rope(ConfigReader& reader, const JsonSource& source) {
  RopeConfig rope;
  rope.theta = reader.number("rope_theta", 10000, 1.0, 1e12);
  const Json* scaling = reader.optional("rope_scaling");
  const Json* parameters = reader.optional("rope_parameters");
  if (scaling != nullptr && parameters != nullptr) {
    RopeConfig other = rope;
    read_rope_object(*scaling, source, "rope_scaling", rope);
    read_rope_object(*parameters, source, "rope_parameters", other);
    if (!(rope == other)) {
      reader.fail(*scaling, "rope_scaling", "contradicts rope_parameters; keep one of the two");
    }
  } else if (scaling != nullptr) {
    read_rope_object(*scaling, source, "rope_scaling", rope);
  } else if (parameters != nullptr) {
    read_rope_object(*parameters, source, "rope_parameters", rope);
  }
  return rope;
}

TokenId token_id(const ConfigReader& reader, const Json& value, std::string_view key,
                 std::int64_t vocab) {
  if (!value.is_int() || value.as_int() < 0 || value.as_int() >= vocab) {
    reader.fail(value, key, fmt::format("must be a token id from 0 to {}", vocab - 1));
  }
  return static_cast<TokenId>(value.as_int());
}

/// An id or a list of ids; empty when the key is absent or null.
std::vector<TokenId> token_ids(ConfigReader& reader, std::string_view key, std::int64_t vocab) {
  const Json* value = reader.optional(key);
  if (value == nullptr) return {};
  if (!value->is_array()) return {token_id(reader, *value, key, vocab)};
  std::vector<TokenId> out;
  for (const Json& item : value->as_array()) {
    const TokenId id = token_id(reader, item, key, vocab);
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  }
  return out;
}

QuantFormat quant_format(const Json& quantization) {
  const Json* method = quantization.find("quant_method");
  if (method == nullptr || !method->is_string()) return QuantFormat::kOther;
  static constexpr std::pair<std::string_view, QuantFormat> kNames[] = {
      {"compressed-tensors", QuantFormat::kCompressedTensors},
      {"fp8", QuantFormat::kFp8},
      {"fbgemm_fp8", QuantFormat::kFbgemmFp8},
      {"modelopt", QuantFormat::kModelOpt},
      {"gptq", QuantFormat::kGptq},
      {"awq", QuantFormat::kAwq}};
  for (const auto& [name, format] : kNames) {
    if (method->as_string() == name) return format;
  }
  return QuantFormat::kOther;
}

void read_quantization(ConfigReader& reader, ModelConfig& config) {
  const Json* current = reader.optional("quantization_config");
  const Json* older = reader.optional("compression_config");
  const Json* found = current != nullptr ? current : older;
  if (found == nullptr) return;
  if (!found->is_object()) reader.fail(*found, "quantization_config", "must be an object");
  config.quantization = *found;
  config.quant_format = quant_format(*found);
}

bool is_neutral(std::string_view key, const Json& value) {
  if (value.is_null() || value == Json(false)) return true;
  if (value.is_array() && value.as_array().empty()) return true;
  if (contains(kFactorKeys, key)) return value.is_number() && value.as_double() == 1.0;
  if (key == "layer_types" && value.is_array()) {
    return std::all_of(value.as_array().begin(), value.as_array().end(), [](const Json& type) {
      return type.is_string() && type.as_string() == "full_attention";
    });
  }
  return value.is_int() && value.as_int() == 0;
}

/// Refuses what belongs to other architectures; names once what nobody here has heard of.
void check_other_keys(const ConfigReader& reader, const Json& object, const std::string& source) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object.as_object()) {
    if (reader.knows(key) || contains(kHarmlessKeys, key)) continue;
    if (contains(kForeignKeys, key)) {
      if (!is_neutral(key, value)) {
        reader.fail(value, key,
                    key == "auto_map" ? "asks for code from the repository to be run: refused"
                                      : "changes the result and is not supported");
      }
    } else {
      unknown.push_back(escaped(key, 60));
    }
  }
  if (!unknown.empty()) {
    unknown.resize(std::min<std::size_t>(unknown.size(), 20));
    log_warning("{}: keys without a meaning here, ignored: {}", source, join(unknown, ", "));
  }
}

Json parse_object(const JsonSource& source) {
  Json json = parse_json(source.text, source.name, {.max_bytes = kMaxConfigBytes});
  if (!json.is_object()) {
    throw_input("{}: expected an object, found {}", source.name, json.type_name());
  }
  return json;
}

void read_generation_config(const JsonSource& source, ModelConfig& config) {
  const Json json = parse_object(source);
  ConfigReader reader(json, source, "");
  const std::vector<TokenId> stop_ids = token_ids(reader, "eos_token_id", config.vocab);
  if (!stop_ids.empty()) config.stop_ids = stop_ids;
  const std::vector<TokenId> bos = token_ids(reader, "bos_token_id", config.vocab);
  if (!config.bos.has_value() && !bos.empty()) config.bos = bos.front();
}

}  // namespace

std::string_view quant_format_name(QuantFormat format) {
  static constexpr std::string_view kNames[] = {
      "none", "compressed-tensors", "fp8", "fbgemm_fp8", "modelopt", "gptq", "awq", "unknown"};
  return kNames[static_cast<std::size_t>(format)];
}

std::int64_t ModelConfig::parameter_count() const {
  std::int64_t count = 0;
  for (const TensorSpec& tensor : expected_tensors(*this)) {
    std::int64_t elements = 1;
    for (const std::int64_t size : tensor.shape) elements *= size;
    count += elements;
  }
  return count;
}

std::vector<TensorSpec> expected_tensors(const ModelConfig& config) {
  const std::int64_t h = config.hidden;
  const std::int64_t q = config.q_width();
  const std::int64_t kv = config.kv_width();
  const std::int64_t i = config.intermediate;
  std::vector<TensorSpec> out;
  const auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t cols,
                          bool bias) {
    out.push_back({name + ".weight", {rows, cols}});
    if (bias) out.push_back({name + ".bias", {rows}});
  };
  out.push_back({"model.embed_tokens.weight", {config.vocab, h}});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    out.push_back({prefix + "input_layernorm.weight", {h}});
    linear(prefix + "self_attn.q_proj", q, h, config.attention_bias);
    linear(prefix + "self_attn.k_proj", kv, h, config.attention_bias);
    linear(prefix + "self_attn.v_proj", kv, h, config.attention_bias);
    linear(prefix + "self_attn.o_proj", h, q, config.attention_bias);
    out.push_back({prefix + "post_attention_layernorm.weight", {h}});
    linear(prefix + "mlp.gate_proj", i, h, config.mlp_bias);
    linear(prefix + "mlp.up_proj", i, h, config.mlp_bias);
    linear(prefix + "mlp.down_proj", h, i, config.mlp_bias);
  }
  out.push_back({"model.norm.weight", {h}});
  if (!config.tied) out.push_back({"lm_head.weight", {config.vocab, h}});
  return out;
}

ModelConfig parse_model_config(std::string_view config_text, std::string_view generation_config,
                               const std::string& source) {
  const JsonSource config_source{source + "/config.json", std::string(config_text)};
  const Json json = parse_object(config_source);
  ConfigReader reader(json, config_source, "");
  ModelConfig config;
  check_architecture(reader);
  read_shape(reader, config);
  config.rope = read_rope(reader, config_source);
  const std::vector<TokenId> bos = token_ids(reader, "bos_token_id", config.vocab);
  if (!bos.empty()) config.bos = bos.front();
  config.stop_ids = token_ids(reader, "eos_token_id", config.vocab);
  read_quantization(reader, config);
  check_other_keys(reader, json, config_source.name);
  if (!generation_config.empty()) {
    read_generation_config({source + "/generation_config.json", std::string(generation_config)},
                           config);
  }
  return config;
}

ModelConfig load_model_config(const fs::path& folder) {
  const std::string config = read_file(folder / "config.json", kMaxConfigBytes);
  std::string generation;
  if (fs::exists(folder / "generation_config.json")) {
    generation = read_file(folder / "generation_config.json", kMaxConfigBytes);
  }
  ModelConfig out = parse_model_config(config, generation, escaped(folder.string(), 400));
  const fs::path quantization = folder / "hf_quant_config.json";
  if (out.quant_format == QuantFormat::kNone && fs::exists(quantization)) {
    out.quantization = parse_object(
        {escaped(quantization.string(), 400), read_file(quantization, kMaxConfigBytes)});
    out.quant_format = QuantFormat::kModelOpt;
  }
  return out;
}

}  // namespace assay::engine
