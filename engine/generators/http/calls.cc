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

/// Servers take signed seeds of different widths; 31 bits suit all.
std::int64_t plain_seed(const Request& request) {
  std::uint64_t mixed = request.sampling.seed ^ fnv1a(request.id);
  SplitMix64 random(mixed + static_cast<std::uint64_t>(request.repeat));
  return static_cast<std::int64_t>(random() >> 33);
}

void set_sampling(Json& body, const Request& request, const ServerTraits& traits) {
  const SamplingParams& s = request.sampling;
  body.set("max_tokens", s.max_tokens);
  body.set("temperature", s.temperature);
  if (s.top_p < 1) body.set("top_p", s.top_p);
  if (s.top_k > 0) body.set("top_k", s.top_k);
  if (s.min_p > 0) body.set("min_p", s.min_p);
  if (s.ignore_eos) body.set("ignore_eos", true);
  if (!s.stop.empty()) {
    Json stop;
    for (const std::string& text : s.stop) stop.push_back(text);
    body.set("stop", std::move(stop));
  }
  if (s.temperature > 0) {
    body.set("seed", traits.request_keys ? static_cast<std::int64_t>(s.seed) : plain_seed(request));
  }
  if (traits.request_keys) {
    body.set("request_id", request.id);
    body.set("repeat", request.repeat);
  }
}

HttpCall make_call(std::string path, Json body, const Request& request, bool stream) {
  if (stream) {
    Json options;
    options.set("include_usage", true);
    body.set("stream", true);
    body.set("stream_options", std::move(options));
  }
  const auto tokens =
      static_cast<std::size_t>(std::max<std::int64_t>(request.sampling.max_tokens, 1));
  const std::size_t each =
      kReplyPerToken + kReplyPerLogprob * static_cast<std::size_t>(request.logprobs + 1);
  const std::size_t most =
      tokens < kReplyMost / each ? std::min(kReplyMost, kReplyBase + tokens * each) : kReplyMost;
  return {.path = std::move(path), .body = body.dump(), .stream = stream, .max_reply = most};
}

}  // namespace

HttpCall completions_call(const Request& request, const ServerTraits& traits, bool stream) {
  const PromptInput& prompt = request.prompt;
  Json body;
  body.set("model", traits.model);
  if (prompt.form == PromptInput::Form::kIds) {
    Json ids{Json::Array{}};
    for (const TokenId id : prompt.ids) ids.push_back(static_cast<std::int64_t>(id));
    body.set("prompt", std::move(ids));
  } else {
    body.set("prompt", prompt.text + prompt.assistant_prefix);
  }
  set_sampling(body, request, traits);
  if (request.logprobs >= 0) body.set("logprobs", request.logprobs);
  if (traits.token_ids) body.set("return_token_ids", true);
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
  Json body;
  body.set("model", traits.model);
  body.set("messages", std::move(messages));
  if (!prompt.assistant_prefix.empty()) {
    body.set("continue_final_message", true);
    body.set("add_generation_prompt", false);
  }
  if (!prompt.system_block && traits.bare_chat) body.set("system_block", false);
  set_sampling(body, request, traits);
  if (request.logprobs >= 0) {
    body.set("logprobs", true);
    if (request.logprobs > 0) body.set("top_logprobs", request.logprobs);
  }
  if (traits.token_ids) body.set("return_token_ids", true);
  return make_call("/chat/completions", std::move(body), request, stream);
}

}  // namespace assay::engine
