// Any bytes as a file of prompt texts or of published samples, as a file of responses and as
// recorded answers of a model: every line is taken or named.
#include <string>

#include "engine/generator.h"
#include "evals/templates.h"
#include "suites/score_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"meta": {"gsm8k": {"user": "Q: {question}"}}, "list": ["a", "b"]})",
      "{\"task_name\": \"gsm8k\", \"input_question\": \"q\", \"input_final_prompts\": [\"p\"], "
      "\"output_prediction_text\": [\"r\"], \"output_parsed_answer\": \"1\", \"is_correct\": "
      "true}\n",
      "{\"doc_id\": 0, \"doc\": {\"question\": \"q\"}, \"target\": \"1\", \"arguments\": "
      "{\"gen_args_0\": {\"arg_0\": \"p\", \"arg_1\": {}}}, \"resps\": [[\"r\"]], "
      "\"exact_match\": 1.0}\n",
      "{\"id\": \"gsm8k/test/0\", \"response\": \"18\"}\n\n{\"id\": \"x\", \"logprobs\": [-1.5, "
      "-2]}\n{\"id\": \"x\", \"response\": \"y\", \"truncated\": true}\n",
      "{\"id\": 1}\n{\"response\": \"x\"}\n[]\n",
      "\x1f\x8b\x08",
      "{\"id\": \"x\", \"logprobs\": [\"a\", null]}",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::filesystem::path path = fuzz::input_folder().file("input", fuzz::text_of(data, size));
  fuzz::accepted([&] {
    const evals::PromptTemplates templates = evals::load_templates(path);
    ASSAY_CHECK(templates.published != nullptr || templates.texts.is_object(), "neither form");
  });
  std::vector<datasets::BadRecord> bad;
  std::size_t taken = 0;
  const bool some = fuzz::accepted([&] { taken = suites::read_responses(path, &bad).size(); });
  const bool all =
      fuzz::accepted([&] { ASSAY_CHECK(suites::read_responses(path).size() == taken, "strict"); });
  ASSAY_CHECK(all == (some && bad.empty()), "bad lines");
  fuzz::accepted([&] {
    engine::EngineOptions options;
    options.model = "replay:" + path.string();
    (void)engine::make_generator(options);
  });
  return 0;
}
