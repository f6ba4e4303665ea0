#include "engine/generators/http/reply.h"

#include <limits>

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/generators/http/fault.h"

namespace assay::engine {
namespace {

constexpr JsonLimits kLimits{.max_bytes = std::size_t{64} << 20};
constexpr std::size_t kMaxName = 200;     // bytes kept of names that a server tells
constexpr std::size_t kMaxMessage = 300;  // of its error messages

std::string text_of(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_string() ? found->as_string() : "";
}

/// Cut after the secrets are out, or a part of one could stay.
std::string name_of(const Json& object, std::string_view key) {
  std::string name = without_secrets(text_of(object, key));
  name.resize(utf8_prefix(name, kMaxName));
  return name;
}

std::int64_t count_of(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_int() && found->as_int() >= 0 ? found->as_int() : -1;
}

TokenId token_id(const Json* json) {
  if (json == nullptr || !json->is_int()) return kUnknownToken;
  const std::int64_t id = json->as_int();
  if (id < 0 || id > std::numeric_limits<TokenId>::max()) return kUnknownToken;
  return static_cast<TokenId>(id);
}

std::vector<TokenId> ids_of(const Json* json) {
  std::vector<TokenId> out;
  if (json == nullptr || !json->is_array()) return out;
  for (const Json& id : json->as_array()) {
    out.push_back(token_id(&id));
    if (out.back() == kUnknownToken) {
      throw Fault(FaultKind::kMalformed, "the answer has a token id that is none");
    }
  }
  return out;
}

/// "logprobs" of chat answers: {"content": [{"token", "logprob", "top_logprobs": [...]}]}.
void read_chat_tokens(const Json::Array& content, Reply& out) {
  for (const Json& entry : content) {
    ReplyToken token{.text = text_of(entry, "token"), .id = token_id(entry.find("id"))};
    token.logprob = entry.at("logprob").as_double();
    if (const Json* top = entry.find("top_logprobs"); top != nullptr && top->is_array()) {
      for (const Json& other : top->as_array()) {
        token.top.push_back({.text = text_of(other, "token"),
                             .id = token_id(other.find("id")),
                             .logprob = other.at("logprob").as_double()});
      }
    }
    out.tokens.push_back(std::move(token));
  }
}

void read_top(const Json& top, ReplyToken& token) {
  if (!top.is_object()) return;
  for (const auto& [text, logprob] : top.as_object()) {
    if (logprob.is_number()) {
      token.top.push_back({.text = text, .logprob = logprob.as_double()});
    }
  }
}

/// "logprobs" of plain completions: lists of equal length.
void read_plain_tokens(const Json& logprobs, Reply& out) {
  const Json::Array& texts = logprobs.at("tokens").as_array();
  const Json::Array& values = logprobs.at("token_logprobs").as_array();
  const Json* top = logprobs.find("top_logprobs");
  const Json* ids = logprobs.find("token_ids");
  const Json* top_ids = logprobs.find("top_token_ids");
  if (values.size() != texts.size()) {
    throw Fault(FaultKind::kMalformed, "the answer's lists of log-probabilities differ in length");
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ReplyToken token{.text = texts[i].as_string()};
    if (!values[i].is_null()) token.logprob = values[i].as_double();
    if (top != nullptr && top->is_array() && i < top->as_array().size()) {
      read_top(top->as_array()[i], token);
    }
    if (ids != nullptr && ids->is_array() && i < ids->as_array().size()) {
      token.id = token_id(&ids->as_array()[i]);
    }
    if (top_ids != nullptr && top_ids->is_array() && i < top_ids->as_array().size()) {
      const Json& list = top_ids->as_array()[i];
      for (std::size_t k = 0; list.is_array() && k < token.top.size() && k < list.as_array().size();
           ++k) {
        token.top[k].id = token_id(&list.as_array()[k]);
      }
    }
    out.tokens.push_back(std::move(token));
  }
}

void read_choice(const Json& choice, Reply& out) {
  for (const char* name : {"delta", "message"}) {
    if (const Json* part = choice.find(name)) out.text = text_of(*part, "content");
  }
  if (choice.find("text") != nullptr) out.text = text_of(choice, "text");
  if (const Json* logprobs = choice.find("logprobs");
      logprobs != nullptr && logprobs->is_object()) {
    const Json* content = logprobs->find("content");
    if (content != nullptr) {
      if (content->is_array()) read_chat_tokens(content->as_array(), out);
    } else {
      read_plain_tokens(*logprobs, out);
    }
  }
  out.ids = ids_of(choice.find("token_ids"));
  out.prompt_ids = ids_of(choice.find("prompt_token_ids"));
  out.finish_reason = text_of(choice, "finish_reason");
  if (const Json* reason = choice.find("stop_reason")) {
    out.has_stop_reason = true;
    if (reason->is_string()) out.stop_reason = reason->as_string();
  }
}

void read_usage(const Json& usage, Reply& out) {
  out.prompt_tokens = count_of(usage, "prompt_tokens");
  out.output_tokens = count_of(usage, "completion_tokens");
  if (const Json* details = usage.find("prompt_tokens_details")) {
    out.cached_tokens = count_of(*details, "cached_tokens");
  }
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text.find(word) != std::string_view::npos) return true;
  }
  return false;
}

/// What an error object says: "type: message", for people.
struct ErrorText {
  std::string code;  // code and type, lower case
  std::string message;
};

ErrorText error_text(const Json& root) {
  ErrorText out;
  const Json* error = root.find("error");
  const Json& object = error != nullptr && error->is_object() ? *error : root;
  if (error != nullptr && error->is_string()) out.message = error->as_string();
  for (const char* key : {"message", "detail"}) {
    if (out.message.empty()) out.message = text_of(object, key);
  }
  out.code = to_lower_ascii(text_of(object, "code") + " " + text_of(object, "type"));
  return out;
}

FaultKind kind_of(unsigned status, const ErrorText& error) {
  const bool quota = has_any(error.code, {"insufficient_quota", "billing", "quota_exceeded"});
  if (quota || status == 401 || status == 402 || status == 403 || status == 407) {
    return FaultKind::kFatal;
  }
  if (has_any(error.code, {"model_not_found", "invalid_api_key"})) return FaultKind::kFatal;
  if (status / 100 == 3 || status == 404 || status == 405) return FaultKind::kFatal;
  if (status == 429 || has_any(error.code, {"rate_limit"})) return FaultKind::kBusy;
  if (status == 408 || status == 409 || status == 425 || status >= 500) return FaultKind::kServer;
  if (status == 0) {
    return has_any(error.code, {"invalid_request", "badrequest", "bad_request"})
               ? FaultKind::kRefused
               : FaultKind::kServer;
  }
  return status >= 400 ? FaultKind::kRefused : FaultKind::kMalformed;
}

/// `status` 0: inside a stream.
Fault error_fault(unsigned status, std::string_view body) {
  ErrorText error;
  try {
    error = error_text(parse_json(body, "answer", kLimits));
  } catch (const Error&) {
    error.message = std::string(trim_ascii(body.substr(0, 2 * kMaxMessage)));
  }
  const std::string message =
      escaped(without_secrets(replace_invalid_utf8(error.message)), kMaxMessage);
  std::string text = status == 0 ? "the server ends the stream with an error"
                                 : fmt::format("the server answers {}", status);
  if (!message.empty()) text += ": " + message;
  Fault fault(kind_of(status, error), std::move(text));
  fault.status = static_cast<int>(status);
  return fault;
}

}  // namespace

Fault status_fault(const ReplyHead& head, std::string_view body) {
  Fault fault = error_fault(head.status, body);
  fault.retry_after = head.retry_after;
  if (head.status == 503 && head.retry_after) fault.kind = FaultKind::kBusy;
  if (head.status / 100 == 3) {
    fault.text = fmt::format(
        "the server redirects ({}) to \"{}\"; not followed, because key and prompts would go to an "
        "address that was not named: name it with --model if it is the right one",
        head.status, escaped(without_secrets(head.location), 200));
  }
  return fault;
}

Reply read_reply(std::string_view json) {
  Reply out;
  try {
    const Json root = parse_json(json, "answer", kLimits);
    if (!root.is_object()) throw Fault(FaultKind::kMalformed, "the answer is no JSON object");
    const Json* error = root.find("error");
    if (error != nullptr && !error->is_null()) throw error_fault(0, json);
    const Json* choices = root.find("choices");
    if (choices == nullptr || !choices->is_array()) {
      throw Fault(FaultKind::kMalformed, "the answer has no \"choices\"");
    }
    // A chunk without choices tells the usage.
    for (const Json& choice : choices->as_array()) {
      if (const std::int64_t index = count_of(choice, "index"); index > 0) continue;
      read_choice(choice, out);
      break;
    }
    if (out.prompt_ids.empty()) out.prompt_ids = ids_of(root.find("prompt_token_ids"));
    if (const Json* usage = root.find("usage"); usage != nullptr && usage->is_object()) {
      read_usage(*usage, out);
    }
    out.model = name_of(root, "model");
    out.fingerprint = name_of(root, "system_fingerprint");
  } catch (const Error& error) {
    throw Fault(FaultKind::kMalformed, std::string("the answer is malformed: ") + error.what());
  }
  return out;
}

}  // namespace assay::engine
