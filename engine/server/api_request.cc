#include "engine/server/api_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "engine/server/api_fields.h"
#include "engine/server/http.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kMaxTokens = std::int64_t{1} << 30;
constexpr std::int64_t kMaxChoices = 128;
constexpr std::int64_t kMaxLogprobs = 100;  // best tokens listed at each place
constexpr std::size_t kMaxStops = 64;
constexpr std::size_t kMaxStopBytes = 4096;
constexpr std::size_t kMaxBiases = 4096;
constexpr std::size_t kMaxMessages = 4096;
constexpr std::size_t kMaxNameBytes = 1024;

void check_model(ApiFields& fields, const ApiLimits& limits) {
  const std::string model = fields.text("model", kMaxNameBytes);
  const auto& names = limits.models;
  if (model.empty() || std::find(names.begin(), names.end(), model) != names.end()) return;
  throw ApiError(404,
                 fmt::format("The model `{}` does not exist; this server has `{}`",
                             escaped(model, 100), escaped(names.front(), 100)),
                 "model", "model_not_found");
}

TokenId token_id(const ApiFields& fields, std::string_view key, std::int64_t id) {
  if (id < 0 || id > std::numeric_limits<TokenId>::max()) {
    fields.fail(key, fmt::format("has {}, which is no token id", id));
  }
  return static_cast<TokenId>(id);
}

std::vector<std::pair<TokenId, float>> read_bias(ApiFields& fields) {
  std::vector<std::pair<TokenId, float>> out;
  const Json* bias = fields.get("logit_bias");
  if (bias == nullptr) return out;
  if (!bias->is_object()) fields.fail("logit_bias", "must map token ids to numbers");
  if (bias->as_object().size() > kMaxBiases) fields.fail("logit_bias", "has too many entries");
  for (const auto& [key, value] : bias->as_object()) {
    const auto id = parse_int(key);
    if (!id) fields.fail("logit_bias", "must map token ids to numbers");
    const bool fits = value.is_number() && value.as_double() >= -100 && value.as_double() <= 100;
    if (!fits) fields.fail("logit_bias", "must have numbers from -100 to 100");
    out.emplace_back(token_id(fields, "logit_bias", *id), static_cast<float>(value.as_double()));
  }
  std::sort(out.begin(), out.end());
  const auto same = std::adjacent_find(
      out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (same != out.end()) fields.fail("logit_bias", "names a token twice");
  return out;
}

void read_sampling(ApiFields& fields, ApiRequest& out) {
  SamplingParams& s = out.sampling;
  s.temperature = fields.number("temperature", 1, 0, 100);
  s.top_p = fields.number("top_p", 1, 0, 1);
  s.min_p = fields.number("min_p", 0, 0, 1);
  s.top_k = std::max<std::int64_t>(0, fields.integer("top_k", -1, kMaxTokens).value_or(0));
  const auto seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max());
  out.has_seed = seed.has_value();
  s.seed = static_cast<std::uint64_t>(seed.value_or(0));
  s.stop = fields.texts("stop", kMaxStops, kMaxStopBytes);
  s.ignore_eos = fields.boolean("ignore_eos", false);
  s.logit_bias = read_bias(fields);
  // Whatever OpenAI's parameters of this kind mean, nought is without effect.
  for (const char* key : {"presence_penalty", "frequency_penalty"}) fields.only(key, {0});
  fields.only("repetition_penalty", {1});
  fields.only("min_tokens", {0});
  fields.only("skip_special_tokens", {true});
}

void read_choices(ApiFields& fields, const ApiLimits& limits, ApiRequest& out) {
  out.n = static_cast<int>(fields.integer("n", 1, kMaxChoices).value_or(1));
  out.best_of = out.n;
  if (!out.chat) {
    out.best_of = static_cast<int>(fields.integer("best_of", 1, kMaxChoices).value_or(out.n));
    if (out.best_of < out.n) fields.fail("best_of", "must not be less than 'n'");
  }
  const auto choices = static_cast<std::int64_t>(out.prompts.size()) * out.best_of;
  if (choices > limits.max_choices) {
    fields.fail(out.chat ? "n" : "prompt",
                fmt::format("asks for {} answers at once; at most {} are made", choices,
                            limits.max_choices));
  }
  out.request_id = fields.text("request_id", kMaxNameBytes);
  out.repeat = fields.integer("repeat", 0, kMaxTokens).value_or(0);
  out.token_ids = fields.boolean("return_token_ids", false);
}

void read_stream(ApiFields& fields, ApiRequest& out) {
  out.stream = fields.boolean("stream", false);
  if (const Json* options = fields.get("stream_options")) {
    if (!out.stream) fields.fail("stream_options", "is only allowed when 'stream' is true");
    ApiFields inner(*options, "stream_options");
    out.include_usage = inner.boolean("include_usage", false);
    inner.only("continuous_usage_stats", {false});
    inner.ignore({"include_obfuscation"});
    inner.finish();
  }
  if (out.stream && out.best_of > out.n) fields.fail("best_of", "cannot be streamed");
}

void ignore_bookkeeping(ApiFields& fields) {
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier",
                 "prompt_cache_key", "priority"});
}

PromptInput ids_prompt(const ApiFields& fields, const Json::Array& list) {
  PromptInput prompt;
  prompt.form = PromptInput::Form::kIds;
  for (const Json& id : list) {
    if (!id.is_int()) fields.fail("prompt", "must hold strings alone or token ids alone");
    prompt.ids.push_back(token_id(fields, "prompt", id.as_int()));
  }
  return prompt;
}

/// A string, strings, ids or lists of ids.
std::vector<PromptInput> read_prompts(ApiFields& fields) {
  const Json* given = fields.get("prompt");
  if (given == nullptr) fields.fail("prompt", "is required");
  std::vector<PromptInput> out;
  if (given->is_string()) {
    out.push_back({.text = given->as_string()});
    return out;
  }
  if (!given->is_array() || given->as_array().empty()) {
    fields.fail("prompt", "must be a string, a list of strings, token ids or lists of them");
  }
  const Json::Array& list = given->as_array();
  if (list.front().is_int()) {
    out.push_back(ids_prompt(fields, list));
    return out;
  }
  const bool texts = list.front().is_string();
  for (const Json& item : list) {
    if (item.is_string() != texts || (!texts && !item.is_array())) {
      fields.fail("prompt", "must hold strings alone or lists of token ids alone");
    }
    if (texts) {
      out.push_back({.text = item.as_string()});
    } else {
      out.push_back(ids_prompt(fields, item.as_array()));
    }
  }
  return out;
}

std::string content_text(const ApiFields& fields, const Json* content) {
  if (content == nullptr) fields.fail("content", "is required");
  if (content->is_string()) return content->as_string();
  if (!content->is_array()) fields.fail("content", "must be a string or a list of text parts");
  std::string out;
  for (const Json& part : content->as_array()) {
    const Json* type = part.find("type");
    const Json* text = part.find("text");
    const bool is_text = type != nullptr && type->is_string() && type->as_string() == "text" &&
                         text != nullptr && text->is_string();
    if (!is_text) fields.fail("content", "may hold parts of type text only");
    out += text->as_string();
  }
  return out;
}

ChatMessage read_message(const Json& message, std::size_t index) {
  ApiFields fields(message, fmt::format("messages[{}]", index));
  ChatMessage out;
  out.role = fields.text("role", kMaxNameBytes);
  if (out.role == "developer") out.role = "system";
  if (out.role != "system" && out.role != "user" && out.role != "assistant") {
    fields.fail("role", "must be system, developer, user or assistant");
  }
  out.content = content_text(fields, fields.get("content"));
  for (const char* key : {"tool_calls", "function_call", "audio"}) fields.only(key, {});
  fields.ignore({"name", "refusal", "annotations"});
  fields.finish();
  return out;
}

PromptInput read_messages(ApiFields& fields) {
  const Json* messages = fields.get("messages");
  if (messages == nullptr) fields.fail("messages", "is required");
  if (!messages->is_array() || messages->as_array().empty()) {
    fields.fail("messages", "must be a list of at least one message");
  }
  if (messages->as_array().size() > kMaxMessages) fields.fail("messages", "holds too many");
  PromptInput prompt;
  prompt.form = PromptInput::Form::kChat;
  for (const Json& message : messages->as_array()) {
    prompt.messages.push_back(read_message(message, prompt.messages.size()));
  }
  const bool continues = fields.boolean("continue_final_message", false);
  if (fields.boolean("add_generation_prompt", !continues) == continues) {
    fields.fail("add_generation_prompt", "must be the opposite of 'continue_final_message'");
  }
  if (continues) {
    if (prompt.messages.back().role != "assistant") {
      fields.fail("continue_final_message", "needs a last message of the assistant");
    }
    prompt.assistant_prefix = std::move(prompt.messages.back().content);
    prompt.messages.pop_back();
  }
  prompt.system_block = fields.boolean("system_block", true);
  return prompt;
}

}  // namespace

ApiRequest parse_completion(const Json& body, const ApiLimits& limits) {
  ApiFields fields(body);
  ApiRequest out;
  check_model(fields, limits);
  out.prompts = read_prompts(fields);
  read_sampling(fields, out);
  read_choices(fields, limits, out);
  read_stream(fields, out);
  out.max_tokens = fields.integer("max_tokens", 0, kMaxTokens).value_or(16);
  out.echo = fields.boolean("echo", false);
  out.logprobs = static_cast<int>(fields.integer("logprobs", 0, kMaxLogprobs).value_or(-1));
  if (out.max_tokens == 0 && !out.echo) fields.fail("max_tokens", "may be 0 only with 'echo'");
  if (out.echo && out.logprobs >= 0 && out.stream) {
    fields.fail("stream", "is not possible with 'echo' and 'logprobs' together");
  }
  fields.only("suffix", {""});
  ignore_bookkeeping(fields);
  fields.finish();
  return out;
}

ApiRequest parse_chat(const Json& body, const ApiLimits& limits) {
  ApiFields fields(body);
  ApiRequest out;
  out.chat = true;
  check_model(fields, limits);
  out.prompts.push_back(read_messages(fields));
  read_sampling(fields, out);
  read_choices(fields, limits, out);
  read_stream(fields, out);
  const auto old_name = fields.integer("max_tokens", 1, kMaxTokens);
  const auto new_name = fields.integer("max_completion_tokens", 1, kMaxTokens);
  out.max_tokens = new_name ? new_name : old_name;
  const bool logprobs = fields.boolean("logprobs", false);
  const auto top = fields.integer("top_logprobs", 0, kMaxLogprobs);
  if (top && !logprobs) fields.fail("top_logprobs", "needs 'logprobs' to be true");
  if (logprobs) out.logprobs = static_cast<int>(top.value_or(0));
  if (const Json* format = fields.get("response_format")) {
    ApiFields inner(*format, "response_format");
    inner.only("type", {"text"});
    inner.finish();
  }
  if (const Json* modes = fields.get("modalities")) {
    if (*modes != Json(Json::Array{"text"})) fields.fail("modalities", "may be text only");
  }
  for (const char* key : {"tools", "functions"}) fields.only(key, {Json::Array{}});
  for (const char* key : {"chat_template", "chat_template_kwargs", "audio", "web_search_options",
                          "prediction", "reasoning_effort", "verbosity"}) {
    fields.only(key, {});
  }
  fields.only("tool_choice", {"none", "auto"});
  fields.ignore({"parallel_tool_calls"});
  ignore_bookkeeping(fields);
  fields.finish();
  return out;
}

ApiTokenize parse_tokenize(const Json& body, const ApiLimits& limits) {
  ApiFields fields(body);
  ApiTokenize out;
  check_model(fields, limits);
  if (body.find("messages") != nullptr) {
    out.prompt = read_messages(fields);
  } else {
    const Json* text = fields.get("prompt");
    if (text == nullptr) text = fields.get("content");
    if (text == nullptr || !text->is_string()) fields.fail("prompt", "must be a string");
    out.prompt.text = text->as_string();
    fields.ignore({"content"});
  }
  out.bos = fields.boolean("add_special_tokens", true);
  out.special = fields.boolean("parse_special", false);
  fields.finish();
  return out;
}

std::vector<TokenId> parse_detokenize(const Json& body, const ApiLimits& limits) {
  ApiFields fields(body);
  check_model(fields, limits);
  const Json* tokens = fields.get("tokens");
  if (tokens == nullptr || !tokens->is_array())
    fields.fail("tokens", "must be a list of token ids");
  std::vector<TokenId> out;
  for (const Json& id : tokens->as_array()) {
    if (!id.is_int()) fields.fail("tokens", "must be a list of token ids");
    out.push_back(token_id(fields, "tokens", id.as_int()));
  }
  fields.finish();
  return out;
}

}  // namespace assay::engine
