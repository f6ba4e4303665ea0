// Any two texts as tokenizer_config.json and chat_template.jinja beside a small tokenizer: the
// folder is refused, or gives a tokenizer with a chat format that was recognised, never one that
// was run.
#include <string>

#include "engine/chat.h"
#include "engine/prompt_encoder.h"
#include "engine/tokenizer_load.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/support/small_tokenizer.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|eot_id|>"}})"
      "\n===\n{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}",
      R"({"add_bos_token": false, "chat_template": "{# comment #}{% set x = 1 %}"})",
      R"({"chat_template": [{"name": "tool_use", "template": "a"},
          {"name": "default", "template": "<|start_header_id|>"}], "add_eos_token": false})",
      R"({"add_eos_token": true})",
      R"({"bos_token": "<|eot_id|>", "chat_template": [1, "x", null]})",
      R"([])",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  static const std::string kTokenizer = test::small_tokenizer_json().dump();
  const std::string text = fuzz::text_of(data, size);
  std::string_view rest = text;
  const std::filesystem::path& path = fuzz::input_folder().path();
  (void)fuzz::input_folder().file("tokenizer.json", kTokenizer);
  (void)fuzz::input_folder().file("tokenizer_config.json", fuzz::take_part(rest));
  const std::filesystem::path jinja = fuzz::input_folder().file("chat_template.jinja", rest);
  if (rest.empty()) std::filesystem::remove(jinja);
  fuzz::accepted([&] {
    const engine::LoadedTokenizer loaded = engine::load_tokenizer(path);
    ASSAY_CHECK(loaded.tokenizer != nullptr, "a tokenizer");
    ASSAY_CHECK(loaded.chat_template.empty() == loaded.template_source.empty() ||
                    loaded.chat_template.empty(),
                "a template has a source");
    (void)engine::choose_chat_format("auto", loaded);
  });
  return 0;
}
