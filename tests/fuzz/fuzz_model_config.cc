// Any two texts as config.json and generation_config.json: a configuration that is accepted fits
// itself, and its tensors can be counted.
#include <string>

#include "engine/model_config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  const std::string config =
      R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,)"
      R"("num_hidden_layers":2,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":8,)"
      R"("intermediate_size":96,"vocab_size":300,"max_position_embeddings":128,)"
      R"("rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":true,"bos_token_id":1,)"
      R"("eos_token_id":[2,3],"rope_scaling":{"rope_type":"llama3","factor":8.0,)"
      R"("low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}})";
  return {
      "",
      config,
      config + "\n===\n" + R"({"eos_token_id": 5, "bos_token_id": [1, 7]})",
      R"({"hidden_size":4194304,"num_hidden_layers":4096,"num_attention_heads":1,)"
      R"("intermediate_size":4194304,"vocab_size":4194304,"max_position_embeddings":1})",
      R"({"hidden_size":-1,"num_hidden_layers":1e9,"num_attention_heads":0,"vocab_size":null})",
      R"({"auto_map":{"AutoModel":"evil.py"},"quantization_config":{"quant_method":"fp8"}})",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  std::string_view rest = text;
  const std::string config = fuzz::take_part(rest);
  fuzz::accepted([&] {
    const engine::ModelConfig out = engine::parse_model_config(config, rest, "folder");
    ASSAY_CHECK(out.hidden > 0 && out.layers > 0 && out.vocab > 0, "sizes");
    ASSAY_CHECK(out.kv_heads > 0 && out.heads % out.kv_heads == 0, "heads");
    ASSAY_CHECK(out.head_dim > 0 && out.head_dim % 2 == 0, "head size");
    for (const engine::TokenId id : out.stop_ids) {
      ASSAY_CHECK(id >= 0 && id < out.vocab, "stop ids");
    }
    if (out.layers <= 64) ASSAY_CHECK(out.parameter_count() > 0, "parameters");
    ASSAY_CHECK(out == engine::parse_model_config(config, rest, "folder"), "repeatable");
  });
  return 0;
}
