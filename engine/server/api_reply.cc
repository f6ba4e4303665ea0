#include "engine/server/api_reply.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace assay::engine {
namespace {

using TopList = std::vector<std::pair<TokenId, float>>;

std::string bytes_of(const Tokenizer& tokenizer, TokenId id) {
  return tokenizer.decode(std::span(&id, 1), {.show_special = true, .continues = true});
}

/// The form that keys of plain completions take: distinct bytes have distinct names.
std::string key_of(const Tokenizer& tokenizer, TokenId id) {
  const std::string bytes = bytes_of(tokenizer, id);
  if (is_valid_utf8(bytes)) return bytes;
  std::string out = "bytes:";
  for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

Json ids_json(std::span<const TokenId> ids) {
  Json::Array out;
  for (const TokenId id : ids) out.emplace_back(static_cast<std::int64_t>(id));
  return out;
}

Json finish_json(FinishReason reason) {
  return reason == FinishReason::kLength ? "length" : "stop";
}

/// What stopped it, beside the model itself.
Json stop_json(const Completion& completion) {
  return completion.stop.empty() ? Json() : Json(completion.stop);
}

Json chat_token(const Tokenizer& tokenizer, TokenId id, double logprob, bool with_id) {
  const std::string bytes = bytes_of(tokenizer, id);
  Json::Array numbers;
  for (const char c : bytes) numbers.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  Json out;
  out.set("token", replace_invalid_utf8(bytes));
  out.set("logprob", logprob);
  out.set("bytes", std::move(numbers));
  if (with_id) out.set("id", static_cast<std::int64_t>(id));
  return out;
}

Json chat_logprobs(const ReplyContext& context, std::span<const TokenLogprob> tokens) {
  const bool with_id = context.request->token_ids;
  Json::Array content;
  for (const TokenLogprob& token : tokens) {
    Json entry =
        chat_token(*context.tokenizer, token.id, static_cast<double>(token.logprob), with_id);
    Json::Array top;
    for (const auto& [id, logprob] : token.top) {
      top.push_back(chat_token(*context.tokenizer, id, static_cast<double>(logprob), with_id));
    }
    entry.set("top_logprobs", std::move(top));
    content.push_back(std::move(entry));
  }
  Json out;
  out.set("content", std::move(content));
  out.set("refusal", Json());
  return out;
}

/// The lists of a plain completion's log-probabilities, token by token.
class PlainLogprobs {
 public:
  PlainLogprobs(const ReplyContext& context, StreamDecoder& decoder, std::int64_t& offset)
      : context_(context), decoder_(decoder), offset_(offset) {}

  void add(TokenId id, Json logprob, const TopList* top) {
    const Tokenizer& tokenizer = *context_.tokenizer;
    tokens_.emplace_back(key_of(tokenizer, id));
    logprobs_.push_back(std::move(logprob));
    offsets_.emplace_back(offset_);
    ids_.emplace_back(static_cast<std::int64_t>(id));
    offset_ += static_cast<std::int64_t>(to_code_points(decoder_.push(id)).size());
    if (top == nullptr) {
      tops_.emplace_back();
      top_ids_.emplace_back();
      return;
    }
    Json best{Json::Object{}};
    Json::Array best_ids;
    for (const auto& [other, value] : *top) {
      const std::string key = key_of(tokenizer, other);
      if (best.find(key) != nullptr) continue;  // two tokens of the same bytes: the likelier one
      best.set(key, static_cast<double>(value));
      best_ids.emplace_back(static_cast<std::int64_t>(other));
    }
    tops_.push_back(std::move(best));
    top_ids_.emplace_back(std::move(best_ids));
  }

  Json json() && {
    Json out;
    out.set("tokens", std::move(tokens_));
    out.set("token_logprobs", std::move(logprobs_));
    out.set("top_logprobs", context_.request->logprobs > 0 ? Json(std::move(tops_)) : Json());
    out.set("text_offset", std::move(offsets_));
    if (context_.request->token_ids) {
      out.set("token_ids", std::move(ids_));
      if (context_.request->logprobs > 0) out.set("top_token_ids", std::move(top_ids_));
    }
    return out;
  }

 private:
  const ReplyContext& context_;
  StreamDecoder& decoder_;
  std::int64_t& offset_;
  Json::Array tokens_, logprobs_, tops_, offsets_, ids_, top_ids_;
};

Json plain_logprobs(const ReplyContext& context, const EncodedPrompt& prompt,
                    const Completion& completion) {
  const bool echo = context.request->echo;
  StreamDecoder decoder(*context.tokenizer, !echo);
  std::int64_t offset = 0;
  PlainLogprobs lists(context, decoder, offset);
  if (echo) {
    const PromptLogprobs& known = completion.prompt_logprobs;
    for (std::size_t i = 0; i < prompt.ids.size(); ++i) {
      const bool first = i == 0 || i > known.logprobs.size();
      lists.add(prompt.ids[i], first ? Json() : Json(known.logprobs[i - 1]),
                first ? nullptr : &known.top[i - 1]);
    }
  }
  for (const TokenLogprob& token : completion.logprobs) {
    lists.add(token.id, static_cast<double>(token.logprob), &token.top);
  }
  return std::move(lists).json();
}

Json choice_json(const ReplyContext& context, std::size_t index, const Completion& completion) {
  const ApiRequest& request = *context.request;
  const EncodedPrompt& prompt = context.prompts[index / static_cast<std::size_t>(request.n)];
  Json out;
  out.set("index", index);
  if (request.chat) {
    Json message;
    message.set("role", "assistant");
    message.set("content", completion.text);
    message.set("refusal", Json());
    out.set("message", std::move(message));
  } else {
    out.set("text", request.echo ? prompt.text + completion.text : completion.text);
  }
  Json logprobs;
  if (request.logprobs >= 0) {
    logprobs = request.chat ? chat_logprobs(context, completion.logprobs)
                            : plain_logprobs(context, prompt, completion);
  }
  out.set("logprobs", std::move(logprobs));
  out.set("finish_reason", finish_json(completion.finish_reason));
  out.set("stop_reason", stop_json(completion));
  if (request.token_ids) {
    out.set("prompt_token_ids", ids_json(prompt.ids));
    out.set("token_ids", ids_json(completion.ids));
  }
  return out;
}

Json usage_json(const Usage& usage) {
  Json details;
  details.set("cached_tokens", usage.cached_tokens);
  Json out;
  out.set("prompt_tokens", usage.prompt_tokens);
  out.set("completion_tokens", usage.completion_tokens);
  out.set("total_tokens", usage.prompt_tokens + usage.completion_tokens);
  out.set("prompt_tokens_details", std::move(details));
  return out;
}

Json head_json(const ReplyContext& context, bool chunk) {
  Json out;
  out.set("id", context.id);
  out.set("object", !context.request->chat ? "text_completion"
                    : chunk                ? "chat.completion.chunk"
                                           : "chat.completion");
  out.set("created", context.created);
  out.set("model", context.model);
  out.set("system_fingerprint", context.fingerprint);
  return out;
}

}  // namespace

std::string whole_reply(const ReplyContext& context, std::span<const Completion> choices,
                        const Usage& usage) {
  Json::Array list;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    list.push_back(choice_json(context, i, choices[i]));
  }
  Json out = head_json(context, false);
  out.set("choices", std::move(list));
  out.set("usage", usage_json(usage));
  return out.dump();
}

ChunkWriter::ChunkWriter(const ReplyContext& context, std::size_t choice)
    : context_(&context), choice_(choice), decoder_(*context.tokenizer) {}

Json ChunkWriter::choice(std::string_view text, Json logprobs, Json finish) const {
  Json out;
  out.set("index", choice_);
  if (context_->request->chat) {
    Json delta{Json::Object{}};
    if (finish.is_null()) delta.set("content", text);
    out.set("delta", std::move(delta));
  } else {
    out.set("text", text);
  }
  out.set("logprobs", std::move(logprobs));
  out.set("finish_reason", std::move(finish));
  return out;
}

std::string ChunkWriter::wrap(Json choice) const {
  Json out = head_json(*context_, true);
  out.set("choices", Json::Array{std::move(choice)});
  if (context_->request->include_usage) out.set("usage", Json());
  return out.dump();
}

std::string ChunkWriter::first() {
  const ApiRequest& request = *context_->request;
  if (!request.chat && !request.echo && !request.token_ids) return "";
  const EncodedPrompt& prompt = context_->prompts[choice_ / static_cast<std::size_t>(request.n)];
  Json made = choice(request.echo ? prompt.text : "", Json(), Json());
  if (request.chat) {
    Json delta;
    delta.set("role", "assistant");
    delta.set("content", "");
    made.set("delta", std::move(delta));
  }
  if (request.token_ids) made.set("prompt_token_ids", ids_json(prompt.ids));
  return wrap(std::move(made));
}

std::string ChunkWriter::next(std::string_view text, std::span<const TokenId> ids,
                              std::span<const TokenLogprob> logprobs) {
  const ApiRequest& request = *context_->request;
  Json list;
  if (request.logprobs >= 0 && request.chat) {
    list = chat_logprobs(*context_, logprobs);
  } else if (request.logprobs >= 0) {
    PlainLogprobs lists(*context_, decoder_, offset_);
    for (const TokenLogprob& token : logprobs) {
      lists.add(token.id, static_cast<double>(token.logprob), &token.top);
    }
    list = std::move(lists).json();
  }
  Json made = choice(text, std::move(list), Json());
  if (request.token_ids) made.set("token_ids", ids_json(ids));
  return wrap(std::move(made));
}

std::string ChunkWriter::last(const Completion& completion) {
  Json made = choice("", Json(), finish_json(completion.finish_reason));
  made.set("stop_reason", stop_json(completion));
  return wrap(std::move(made));
}

std::string usage_chunk(const ReplyContext& context, const Usage& usage) {
  Json out = head_json(context, true);
  out.set("choices", Json::Array{});
  out.set("usage", usage_json(usage));
  return out.dump();
}

}  // namespace assay::engine
