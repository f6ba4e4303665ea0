// Any bytes as what a server answers: an event stream gives the same events in pieces of any size,
// and an answer is read or refused with a Fault, never anything else.
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/event_stream.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/reply.h"
#include "tests/fuzz/fuzz.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: "
      "[DONE]\n\n",
      "data: "
      "{\"choices\":[{\"text\":\"x\",\"finish_reason\":\"length\",\"logprobs\":{\"tokens\":[\"x\"],"
      "\"token_logprobs\":[-1.5],\"top_logprobs\":[{\"x\":-1.5}],\"text_offset\":[0],"
      "\"token_ids\":[5]}}]}\n\n",
      ": hold\nevent: error\ndata: {\"error\":{\"message\":\"m\",\"code\":\"rate_limit\"}}\n\n",
      R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop","logprobs":{"content":)"
      R"([{"token":"a","id":3,"logprob":-0.5,"top_logprobs":[{"token":"a","logprob":-0.5}]}]}}]})",
      R"({"error":{"message":"no","type":"invalid_request_error"}})",
  };
}

namespace {

std::vector<std::string> events_of(std::string_view text, std::size_t piece) {
  std::vector<std::string> out;
  engine::EventStream stream(1 << 12);
  try {
    for (std::size_t at = 0; at < text.size(); at += piece) {
      stream.feed(text.substr(at, piece), [&](std::string_view data) { out.emplace_back(data); });
    }
  } catch (const engine::Fault&) {  // NOLINT(bugprone-empty-catch): an event beyond the limit
  }
  return out;
}

void answer(std::string_view bytes, const char* type) {
  engine::Request request;
  request.sampling.stop = {"\n"};
  const engine::ServerTraits traits;
  const auto dialogue = engine::make_dialogue(request, traits, {});
  (void)dialogue->call();
  try {
    dialogue->take({.status = 200, .content_type = type}, bytes, 1);
    dialogue->end(2);
    ASSAY_CHECK(dialogue->done(), "an answer that ended without a fault is complete");
    const engine::Completion completion = dialogue->finish();
    ASSAY_CHECK(completion.finish_reason != engine::FinishReason::kError, "it has a reason");
  } catch (const engine::Fault& fault) {
    ASSAY_CHECK(!fault.text.empty(), "a fault says why");
  }
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = assay::fuzz::events_of(text, size + 1);
  const auto pieces = assay::fuzz::events_of(text, 1 + size / 7);
  ASSAY_CHECK(whole == pieces, "events do not depend on pieces");
  assay::fuzz::answer(text, "text/event-stream");
  assay::fuzz::answer(text, "application/json");
  (void)assay::engine::status_fault({.status = 429}, text);
  return 0;
}
