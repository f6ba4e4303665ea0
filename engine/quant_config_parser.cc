#include "engine/quant_config_parser.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr std::size_t kMostEntries = 100000;  // of a list of modules
constexpr std::int64_t kMostGroup = 1 << 20;  // inputs of a group

MatrixFormat stored(WeightType weights, ScaleLayout scales, std::int64_t group = 0) {
  MatrixFormat out;
  out.weights = weights;
  out.scales = scales;
  out.group = group;
  out.stored = true;
  return out;
}

StoredScheme nvfp4(std::string weight, std::string global, bool divisor) {
  StoredScheme out;
  out.packing = CodePacking::kNibbles;
  out.format = stored(WeightType::kE2m1, ScaleLayout::kGroup, 16);
  out.weight = std::move(weight);
  out.global_scale = std::move(global);
  out.global_is_divisor = divisor;
  return out;
}

}  // namespace

void QuantConfigParser::fail(const std::string& what) const {
  throw_input("{}: quantization config: {}", out_.source_, what);
}

const Json* QuantConfigParser::field(const Json& object, std::string_view key) const {
  const Json* found = object.find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::string QuantConfigParser::text(const Json& object, std::string_view key,
                                    std::string_view fallback) const {
  const Json* found = field(object, key);
  if (found == nullptr) return std::string(fallback);
  if (!found->is_string()) fail(fmt::format("\"{}\" must be a text", key));
  return found->as_string();
}

std::int64_t QuantConfigParser::integer(const Json& object, std::string_view key,
                                        std::int64_t fallback) const {
  const Json* found = field(object, key);
  if (found == nullptr) return fallback;
  if (!found->is_int() || found->as_int() < -1 || found->as_int() > kMostGroup) {
    fail(fmt::format("\"{}\" must be an integer up to {}", key, kMostGroup));
  }
  return found->as_int();
}

bool QuantConfigParser::boolean(const Json& object, std::string_view key, bool fallback) const {
  const Json* found = field(object, key);
  if (found == nullptr) return fallback;
  if (!found->is_bool()) fail(fmt::format("\"{}\" must be true or false", key));
  return found->as_bool();
}

void QuantConfigParser::ignore(const Json& object, std::string_view key) {
  const Json* list = field(object, key);
  if (list == nullptr) return;
  if (!list->is_array()) fail(fmt::format("\"{}\" must be a list", key));
  for (const Json& item : list->as_array()) {
    if (!item.is_string()) fail(fmt::format("\"{}\" must hold texts", key));
    if (out_.ignore_.size() > kMostEntries) fail(fmt::format("\"{}\" is too long", key));
    out_.ignore_.push_back(item.as_string());
  }
}

void QuantConfigParser::add_linear(StoredScheme scheme) {
  out_.groups_.push_back({{"Linear"}, std::move(scheme)});
}

void QuantConfigParser::run() {
  switch (config_.quant_format) {
    case QuantFormat::kCompressedTensors:
      return compressed_tensors();
    case QuantFormat::kFp8:
      return fp8();
    case QuantFormat::kFbgemmFp8:
      return fbgemm();
    case QuantFormat::kModelOpt:
      return model_opt();
    case QuantFormat::kGptq:
      return gptq();
    case QuantFormat::kAwq:
      return awq();
    default:
      break;
  }
  fail("\"quant_method\" is none of compressed-tensors, fp8, fbgemm_fp8, modelopt, gptq, awq");
}

// ---- compressed-tensors ----------------------------------------------------------------------

void QuantConfigParser::compressed_tensors() {
  const Json& json = config_.quantization;
  ignore(json, "ignore");
  if (const Json* sparsity = field(json, "sparsity_config");
      sparsity != nullptr && sparsity->is_object()) {
    const std::string format = text(*sparsity, "format", "dense");
    if (format != "dense") fail("sparse checkpoints (" + escaped(format, 40) + ") are not read");
  }
  if (const Json* kv = field(json, "kv_cache_scheme"); kv != nullptr) {
    if (!kv->is_object() || text(*kv, "type", "float") != "float" ||
        integer(*kv, "num_bits", 8) != 8) {
      fail("\"kv_cache_scheme\" is not 8-bit float");
    }
    out_.kv_scheme_ = !boolean(*kv, "dynamic", false);
  }
  const Json* groups = field(json, "config_groups");
  if (groups == nullptr || !groups->is_object()) fail("\"config_groups\" must be an object");
  for (const auto& [name, group] : groups->as_object()) {
    const std::string path = "config_groups." + escaped(name, 40);
    if (!group.is_object()) fail(path + " must be an object");
    compressed_group(group, text(group, "format", text(json, "format", "")), path);
  }
  if (out_.groups_.empty()) fail("\"config_groups\" is empty");
}

void QuantConfigParser::compressed_group(const Json& group, const std::string& format,
                                         const std::string& path) {
  QuantConfig::Group out;
  const Json* targets = field(group, "targets");
  if (targets == nullptr || !targets->is_array()) fail(path + ".targets must be a list");
  for (const Json& target : targets->as_array()) {
    if (!target.is_string()) fail(path + ".targets must hold texts");
    out.targets.push_back(target.as_string());
  }
  if (field(group, "output_activations") != nullptr) {
    fail(path + ".output_activations is not supported");
  }
  const Json* weights = field(group, "weights");
  if (weights == nullptr || !weights->is_object()) fail(path + ".weights must be an object");
  compressed_weights(*weights, format, path + ".weights", out.scheme);
  compressed_inputs(field(group, "input_activations"), path + ".input_activations", out.scheme);
  out_.groups_.push_back(std::move(out));
}

void QuantConfigParser::compressed_weights(const Json& w, const std::string& format,
                                           const std::string& path, StoredScheme& scheme) {
  const std::int64_t bits = integer(w, "num_bits", 8);
  const std::string type = text(w, "type", "int");
  const std::string strategy = text(w, "strategy", "");
  std::int64_t group = integer(w, "group_size", 0);
  scheme.ignored = {"weight_zero_point", "input_zero_point", "weight_g_idx"};
  if (const Json* order = field(w, "actorder");
      order != nullptr &&
      !(order->is_string() && (order->as_string() == "static" || order->as_string() == "weight")) &&
      !(order->is_bool() && !order->as_bool())) {
    fail(path + ".actorder: groups of permuted inputs are not read");
  }
  const bool nv = format == "nvfp4-pack-quantized";
  if (nv || format == "mxfp4-pack-quantized") {
    if (type != "float" || bits != 4) fail(path + ": " + format + " holds 4-bit floats");
    scheme = nvfp4("weight_packed", nv ? "weight_global_scale" : "", true);
    if (!nv) {
      scheme.format.group = 32;
      scheme.format.power_of_two = true;
    }
    scheme.ignored = {"input_global_scale"};
    if (group != 0 && group != scheme.format.group)
      fail(path + ".group_size does not fit " + format);
    return;
  }
  const bool packed = format == "pack-quantized";
  WeightType weights = WeightType::kE4m3;
  if (type == "float" && bits == 8 && !packed) {
    weights = WeightType::kE4m3;
  } else if (type == "int" && bits == 8) {
    weights = WeightType::kInt8;
  } else if (type == "int" && bits == 4 && packed) {
    weights = WeightType::kInt4;
  } else {
    fail(fmt::format("{}: {} {} bits in format \"{}\" is not supported", path, escaped(type, 20),
                     bits, escaped(format, 40)));
  }
  scheme.symmetric = boolean(w, "symmetric", true);
  if (!scheme.symmetric && weights != WeightType::kInt4) {
    fail(path + ": only 4-bit integers may have zero points");
  }
  if (!scheme.symmetric) scheme.ignored = {"input_zero_point", "weight_g_idx"};
  if (strategy == "tensor" || strategy == "channel") {
    // 4-bit codes always have groups here: one of all inputs.
    const bool row = strategy == "channel";
    scheme.format = stored(weights, row ? ScaleLayout::kRow : ScaleLayout::kTensor);
    if (weights == WeightType::kInt4) {
      if (!row) fail(path + ".strategy: 4-bit integers have groups");
      scheme.format = stored(weights, ScaleLayout::kGroup, -1);
    }
  } else if (strategy == "group" && group > 0) {
    scheme.format = stored(weights, ScaleLayout::kGroup, group);
  } else if (strategy == "block") {
    const Json* block = field(w, "block_structure");
    if (block == nullptr || !block->is_array() || block->as_array().size() != 2 ||
        !block->as_array()[0].is_int() || !block->as_array()[1].is_int()) {
      fail(path + ".block_structure must be two integers");
    }
    scheme.block_rows = block->as_array()[0].as_int();
    group = block->as_array()[1].as_int();
    if (scheme.block_rows < 1 || group < 1 || group > kMostGroup ||
        scheme.block_rows > kMostGroup) {
      fail(path + ".block_structure must be positive");
    }
    scheme.format = stored(weights, ScaleLayout::kBlocks, group);
  } else {
    fail(path + ".strategy: \"" + escaped(strategy, 40) + "\" is not supported");
  }
  if (packed) {
    scheme.packing = CodePacking::kWords;
    scheme.bits = static_cast<int>(bits);
    scheme.weight = "weight_packed";
  }
}

void QuantConfigParser::compressed_inputs(const Json* inputs, const std::string& path,
                                          StoredScheme& scheme) {
  if (inputs == nullptr) return;
  if (!inputs->is_object()) fail(path + " must be an object");
  if (scheme.format.weights == WeightType::kE2m1) {
    log_warning("{}: activations stay BF16: 4-bit ones are not computed here", out_.source_);
    return;
  }
  const std::string type = text(*inputs, "type", "int");
  const std::string strategy = text(*inputs, "strategy", "");
  const bool fp8 = scheme.format.weights == WeightType::kE4m3;
  if (integer(*inputs, "num_bits", 8) != 8 || type != (fp8 ? "float" : "int")) {
    fail(path + ": activations of another type than the weights are not supported");
  }
  if (!boolean(*inputs, "symmetric", true)) fail(path + ": zero points are not supported");
  const Json* dynamic = field(*inputs, "dynamic");
  const bool is_dynamic =
      dynamic != nullptr && (dynamic->is_string() || (dynamic->is_bool() && dynamic->as_bool()));
  ActivationType& out = scheme.format.activations;
  if (!is_dynamic) {
    if (strategy != "tensor") fail(path + ".strategy: static scales are one a tensor");
    out = fp8 ? ActivationType::kE4m3Static : ActivationType::kInt8Static;
    scheme.input_scale = "input_scale";
  } else if (strategy == "token" || strategy == "tensor") {
    out = fp8 ? ActivationType::kE4m3Token : ActivationType::kInt8Token;
  } else if (strategy == "group" && fp8 && scheme.format.group > 0 &&
             integer(*inputs, "group_size", 0) == scheme.format.group) {
    out = ActivationType::kE4m3Group;
  } else {
    fail(path + ".strategy: \"" + escaped(strategy, 40) + "\" is not supported");
  }
  const bool int_groups = !fp8 && scheme.format.group > 0;
  if (int_groups) fail(path + ": integer activations with groups of weights are not supported");
}

// ---- other producers -------------------------------------------------------------------------

/// AutoFP8, and the block format of DeepSeek.
void QuantConfigParser::fp8() {
  const Json& json = config_.quantization;
  ignore(json, "ignored_layers");
  ignore(json, "modules_to_not_convert");
  out_.ignore_.emplace_back("lm_head");
  const std::string scheme = text(json, "activation_scheme", "dynamic");
  if (scheme != "dynamic" && scheme != "static") {
    fail("\"activation_scheme\" is neither dynamic nor static");
  }
  StoredScheme out;
  const Json* block = field(json, "weight_block_size");
  if (block != nullptr) {
    if (!block->is_array() || block->as_array().size() != 2 || !block->as_array()[0].is_int() ||
        !block->as_array()[1].is_int() || block->as_array()[0].as_int() < 1 ||
        block->as_array()[1].as_int() < 1 || block->as_array()[0].as_int() > kMostGroup ||
        block->as_array()[1].as_int() > kMostGroup) {
      fail("\"weight_block_size\" must be two positive integers");
    }
    if (scheme != "dynamic") fail("blocks with static activations are not supported");
    out.block_rows = block->as_array()[0].as_int();
    out.format = stored(WeightType::kE4m3, ScaleLayout::kBlocks, block->as_array()[1].as_int());
    out.format.activations = ActivationType::kE4m3Group;
    out.scale = "weight_scale_inv";  // multiplies all the same
  } else {
    out.format = stored(WeightType::kE4m3, ScaleLayout::kTensor);
    out.format.activations =
        scheme == "static" ? ActivationType::kE4m3Static : ActivationType::kE4m3Token;
    if (scheme == "static") out.input_scale = "input_scale";
  }
  add_linear(std::move(out));
}

void QuantConfigParser::fbgemm() {
  const Json& json = config_.quantization;
  ignore(json, "modules_to_not_convert");
  out_.ignore_.emplace_back("lm_head");
  StoredScheme out;
  out.format = stored(WeightType::kE4m3, ScaleLayout::kRow);
  out.format.activations = ActivationType::kE4m3Token;
  out.ignored = {"input_scale_ub"};
  if (const Json* bound = field(json, "activation_scale_ub"); bound != nullptr) {
    if (!bound->is_number() || !(bound->as_double() > 0) || bound->as_double() > 1e30) {
      fail("\"activation_scale_ub\" must be a positive number");
    }
    out.format.amax_bound = static_cast<float>(bound->as_double());
  }
  add_linear(std::move(out));
}

void QuantConfigParser::model_opt() {
  const Json* nested = config_.quantization.find("quantization");
  const Json& json = nested != nullptr && nested->is_object() ? *nested : config_.quantization;
  ignore(json, "exclude_modules");
  ignore(json, "ignore");
  const std::string kv = text(json, "kv_cache_quant_algo", "");
  if (!kv.empty() && kv != "FP8") fail("\"kv_cache_quant_algo\": only FP8 is supported");
  const Json* scheme = field(json, "kv_cache_scheme");
  out_.kv_scheme_ = kv == "FP8" || scheme != nullptr;
  const std::string algorithm = text(json, "quant_algo", "");
  StoredScheme out;
  if (algorithm == "FP8") {
    out.format = stored(WeightType::kE4m3, ScaleLayout::kTensor);
    out.format.activations = ActivationType::kE4m3Static;
    out.input_scale = "input_scale";
  } else if (algorithm == "FP8_PER_CHANNEL_PER_TOKEN") {
    out.format = stored(WeightType::kE4m3, ScaleLayout::kRow);
    out.format.activations = ActivationType::kE4m3Token;
  } else if (algorithm == "FP8_PB_WO") {
    out.format = stored(WeightType::kE4m3, ScaleLayout::kBlocks, 128);
    out.block_rows = 128;
  } else if (algorithm == "NVFP4") {
    if (integer(json, "group_size", 16) != 16) fail("\"group_size\" of NVFP4 is 16");
    out = nvfp4("weight", "weight_scale_2", false);
    out.ignored = {"input_scale"};
    log_warning("{}: activations stay BF16: 4-bit ones are not computed here", out_.source_);
  } else {
    fail("\"quant_algo\": \"" + escaped(algorithm, 40) +
         "\" is none of FP8, FP8_PER_CHANNEL_PER_TOKEN, FP8_PB_WO, NVFP4");
  }
  add_linear(std::move(out));
}

void QuantConfigParser::gptq() {
  const Json& json = config_.quantization;
  if (integer(json, "bits", 4) != 4) fail("\"bits\": GPTQ is read with 4 bits only");
  if (field(json, "dynamic") != nullptr) fail("\"dynamic\" (settings of modules) is not supported");
  const std::string format = text(json, "checkpoint_format", "gptq");
  if (format != "gptq" && format != "gptq_v2") {
    fail("\"checkpoint_format\": \"" + escaped(format, 40) + "\" is neither gptq nor gptq_v2");
  }
  if (!boolean(json, "lm_head", false)) out_.ignore_.emplace_back("lm_head");
  ignore(json, "modules_to_not_convert");
  StoredScheme out;
  out.packing = CodePacking::kGptq;
  out.format = stored(WeightType::kInt4, ScaleLayout::kGroup, integer(json, "group_size", 128));
  out.symmetric = false;  // symmetric ones store their zero points, too
  out.zero_plus_one = format == "gptq";
  out.weight = "qweight";
  out.scale = "scales";
  if (out.format.group == 0) fail("\"group_size\" must be -1 or positive");
  add_linear(std::move(out));
}

void QuantConfigParser::awq() {
  const Json& json = config_.quantization;
  if (integer(json, "bits", integer(json, "w_bit", 4)) != 4) fail("AWQ is read with 4 bits only");
  const std::string version = to_lower_ascii(text(json, "version", "gemm"));
  if (version != "gemm") fail("\"version\": only gemm is supported");
  ignore(json, "modules_to_not_convert");
  out_.ignore_.emplace_back("lm_head");
  StoredScheme out;
  out.packing = CodePacking::kAwq;
  out.format = stored(WeightType::kInt4, ScaleLayout::kGroup,
                      integer(json, "group_size", integer(json, "q_group_size", 128)));
  if (!boolean(json, "zero_point", true)) fail("\"zero_point\": false is not supported");
  out.symmetric = false;
  out.weight = "qweight";
  out.scale = "scales";
  if (out.format.group == 0) fail("\"group_size\" must be -1 or positive");
  add_linear(std::move(out));
}

}  // namespace assay::engine
