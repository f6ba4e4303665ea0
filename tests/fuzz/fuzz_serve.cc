// Any bytes as the body of an API request: it is refused with a status, or what was read is within
// its limits.
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/server/api_request.h"
#include "engine/server/http.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {
namespace {

const engine::ApiLimits kLimits{.models = {"model"}, .max_choices = 8};

void check(const engine::ApiRequest& request) {
  const engine::SamplingParams& s = request.sampling;
  ASSAY_CHECK(!request.prompts.empty(), "a prompt");
  ASSAY_CHECK(std::isfinite(s.temperature) && s.temperature >= 0, "temperature");
  ASSAY_CHECK(s.top_p >= 0 && s.top_p <= 1 && s.min_p >= 0 && s.min_p <= 1, "masses");
  ASSAY_CHECK(request.n >= 1 && request.best_of >= request.n, "choices");
  ASSAY_CHECK(request.prompts.size() * static_cast<std::size_t>(request.best_of) <= 8, "limit");
  ASSAY_CHECK(request.max_tokens.value_or(0) >= 0 && request.repeat >= 0, "counts");
  ASSAY_CHECK(request.logprobs >= -1 && request.logprobs <= 100, "log-probabilities");
  for (const std::string& stop : s.stop) ASSAY_CHECK(!stop.empty() && is_valid_utf8(stop), "stop");
  for (const auto& [id, bias] : s.logit_bias) ASSAY_CHECK(id >= 0 && std::abs(bias) <= 100, "bias");
}

/// What `parse` throws must be an answer to the client.
template <typename Parse>
void try_parse(const Parse& parse) {
  try {
    parse();
  } catch (const engine::ApiError& error) {
    ASSAY_CHECK(error.status == 400 || error.status == 404, "status");
    ASSAY_CHECK(is_valid_utf8(engine::error_json(error)), "text");
  }
}

}  // namespace

std::vector<std::string> seeds() {
  return {
      R"({"model": "model", "prompt": ["a", "b"], "max_tokens": 5, "temperature": 0.5, "seed": 1,
          "n": 2, "best_of": 3, "logprobs": 2, "echo": true, "stop": ["x", "y"],
          "logit_bias": {"5": -3, "7": 100}, "top_p": 0.9, "top_k": -1, "min_p": 0.1})",
      R"({"prompt": [[1, 2], [3]], "stream": true, "stream_options": {"include_usage": true}})",
      R"({"messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]},
          {"role": "assistant", "content": "y"}], "continue_final_message": true,
          "logprobs": true, "top_logprobs": 3, "response_format": {"type": "text"}})",
      R"({"prompt": "text", "add_special_tokens": false, "parse_special": true})",
      R"({"tokens": [1, 2, 3]})",
      "{}",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  Json body;
  try {
    body = parse_json({reinterpret_cast<const char*>(data), size}, "body");
  } catch (const Error&) {
    return 0;
  }
  const engine::ApiLimits& limits = fuzz::kLimits;
  fuzz::try_parse([&] { fuzz::check(engine::parse_completion(body, limits)); });
  fuzz::try_parse([&] { fuzz::check(engine::parse_chat(body, limits)); });
  fuzz::try_parse([&] { (void)engine::parse_tokenize(body, limits); });
  fuzz::try_parse([&] { (void)engine::parse_detokenize(body, limits); });
  return 0;
}
