// Any quantization config: it is refused as unusable input, or gives for every module a scheme
// whose tensors have shapes without overflow.
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "engine/model.h"
#include "engine/quant_config.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      R"({"quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["lm_head",
      "re:.*q_proj$"], "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits":
      8, "type": "float", "strategy": "block", "block_structure": [128, 128]}, "input_activations":
      {"num_bits": 8, "type": "float", "strategy": "group", "group_size": 128, "dynamic": true}}}})",
      R"({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"a":
      {"targets": ["re:.*mlp.*"], "weights": {"num_bits": 4, "type": "int", "strategy": "group",
      "group_size": 128, "symmetric": false, "actorder": null}, "input_activations": null}}})",
      R"({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]})",
      R"({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0,
      "modules_to_not_convert": ["model.layers.0.mlp.up_proj"]})",
      R"({"quant_method": "modelopt", "quantization": {"quant_algo": "NVFP4", "group_size": 16,
      "exclude_modules": ["*lm_head*"]}})",
      R"({"quant_method": "gptq", "bits": 4, "group_size": -1, "checkpoint_format": "gptq_v2"})",
      R"({"quant_method": "awq", "w_bit": 4, "q_group_size": 64, "version": "GEMM"})",
  };
}

namespace {

void check_schemes(const engine::ModelConfig& config) {
  const engine::QuantConfig quantization(config, "fuzz");
  for (const std::string& module : engine::linear_modules(config)) {
    const auto scheme = quantization.scheme_of(module);
    if (!scheme) continue;
    ASSAY_CHECK(scheme->format.stored, "a stored scheme says so");
    ASSAY_CHECK(scheme->format.group >= -1, "inputs of a group");
    engine::StoredScheme resolved = *scheme;
    if (resolved.format.group < 0) resolved.format.group = 64;
    for (const engine::StoredTensor& tensor : engine::stored_tensors(resolved, module, 48, 64)) {
      ASSAY_CHECK(!tensor.types.empty() && !tensor.shapes.empty(), "a tensor has types and shapes");
      for (const auto& shape : tensor.shapes) {
        for (const std::int64_t size : shape) {
          ASSAY_CHECK(size >= 0 && size <= 64 * 64, "no shape beyond the matrix");
        }
      }
    }
  }
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string config = R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1,
      "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 40,
      "max_position_embeddings": 64, "quantization_config": )" +
                             text + "}";
  try {
    assay::fuzz::check_schemes(assay::engine::parse_model_config(config, "", "fuzz"));
  } catch (const assay::Error& error) {
    ASSAY_CHECK(error.kind() == assay::ErrorKind::kInput, "refused as unusable input");
  }
  return 0;
}
