// Requests as JSON bodies.
#include "base/random.h"
#include "engine/generators/http/dialogue.h"

namespace assay::engine {
namespace {

// What an answer may hold: a token with its neighbours is under 4 KiB, and some for the rest.
constexpr std::size_t kReplyBase = std::size_t{1} << 20;
constexpr std::size_t kReplyPerToken = 1024;
constexpr std::size_t kReplyPerLogprob = 512;
constexpr std::size_t kReplyMost = std::size_t{1} << 28;
// Room for the text of a request, which grows where that is not enough.
constexpr std::size_t kBodyBase = 512;
constexpr std::size_t kBodyPerId = 7;

/// Servers take signed seeds of different widths; 31 bits suit all.
std::int64_t plain_seed(const Request& request) {
  std::uint64_t mixed = request.sampling.seed ^ fnv1a(request.id);
  SplitMix64 random(mixed + static_cast<std::uint64_t>(request.repeat));
  return static_cast<std::int64_t>(random() >> 33);
}

void add_sampling(JsonObjectText& body, const Request& request, const ServerTraits& traits) {
  const SamplingParams& s = request.sampling;
  body.add("max_tokens", s.max_tokens);
  body.add("temperature", s.temperature);
  if (s.top_p < 1) body.add("top_p", s.top_p);
  if (s.top_k > 0) body.add("top_k", s.top_k);
  if (s.min_p > 0) body.add("min_p", s.min_p);
  if (s.ignore_eos) body.add("ignore_eos", true);
  if (!s.stop.empty()) {
    Json stop;
    for (const std::string& text : s.stop) stop.push_back(text);
    body.add("stop", std::move(stop));
  }
  if (s.temperature > 0) {
    body.add("seed", traits.request_keys ? static_cast<std::int64_t>(s.seed) : plain_seed(request));
  }
  if (traits.request_keys) {
    body.add("request_id", request.id);
    body.add("repeat", request.repeat);
  }
}

HttpCall make_call(std::string path, JsonObjectText body, const Request& request, bool stream) {
  if (stream) {
    body.add("stream", true);
    body.add("stream_options", Json(Json::Object{{"include_usage", true}}));
  }
  const auto tokens =
      static_cast<std::size_t>(std::max<std::int64_t>(request.sampling.max_tokens, 1));
  const std::size_t each =
      kReplyPerToken + kReplyPerLogprob * static_cast<std::size_t>(request.logprobs + 1);
  const std::size_t most =
      tokens < kReplyMost / each ? std::min(kReplyMost, kReplyBase + tokens * each) : kReplyMost;
  return {
      .path = std::move(path), .body = std::move(body).take(), .stream = stream, .max_reply = most};
}

}  // namespace

HttpCall completions_call(const Request& request, const ServerTraits& traits, bool stream) {
  const PromptInput& prompt = request.prompt;
  JsonObjectText body(kBodyBase + prompt.ids.size() * kBodyPerId + prompt.text.size());
  body.add("model", traits.model);
  if (prompt.form == PromptInput::Form::kIds) {
    body.add("prompt", std::span<const TokenId>(prompt.ids));
  } else {
    body.add("prompt", prompt.text + prompt.assistant_prefix);
  }
  add_sampling(body, request, traits);
  if (request.logprobs >= 0) body.add("logprobs", request.logprobs);
  if (traits.token_ids) body.add("return_token_ids", true);
  return make_call("/completions", std::move(body), request, stream);
}

HttpCall chat_call(const Request& request, const ServerTraits& traits, bool stream) {
  const PromptInput& prompt = request.prompt;
  Json messages;
  const auto add = [&](const std::string& role, const std::string& content) {
    Json message;
    message.set("role", role);
    message.set("content", content);
    messages.push_back(std::move(message));
  };
  for (const ChatMessage& message : prompt.messages) add(message.role, message.content);
  if (!prompt.assistant_prefix.empty()) add("assistant", prompt.assistant_prefix);
  JsonObjectText body(kBodyBase);
  body.add("model", traits.model);
  body.add("messages", std::move(messages));
  if (!prompt.assistant_prefix.empty()) {
    body.add("continue_final_message", true);
    body.add("add_generation_prompt", false);
  }
  if (!prompt.system_block && traits.bare_chat) body.add("system_block", false);
  add_sampling(body, request, traits);
  if (request.logprobs >= 0) {
    body.add("logprobs", true);
    if (request.logprobs > 0) body.add("top_logprobs", request.logprobs);
  }
  if (traits.token_ids) body.add("return_token_ids", true);
  return make_call("/chat/completions", std::move(body), request, stream);
}

}  // namespace assay::engine
