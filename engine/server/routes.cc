#include "engine/server/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <random>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace assay::engine {
namespace {

struct Path {
  std::string_view path;
  std::string_view method;
};
constexpr std::array kPaths{
    Path{"/v1/models", "GET"},
    Path{"/v1/completions", "POST"},
    Path{"/v1/chat/completions", "POST"},
    Path{"/tokenize", "POST"},
    Path{"/detokenize", "POST"},
    Path{"/health", "GET"},
    Path{"/metrics", "GET"},
};
constexpr std::string_view kModelPrefix = "/v1/models/";

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Json parse_body(const HttpRequest& request) {
  try {
    return parse_json(request.body, "body", {.max_bytes = request.body.size() + 1});
  } catch (const Error& error) {
    throw ApiError(400, fmt::format("the body is not JSON: {}", error.what()));
  }
}

bool is_ip_address(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) return true;
  const auto parts = split(host, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const auto number = parse_int(part);
           return number && *number >= 0 && *number <= 255;
         });
}

/// Mean log-probability of the tokens.
double likelihood(const Completion& completion) {
  double sum = 0;
  for (const TokenLogprob& token : completion.logprobs) sum += static_cast<double>(token.logprob);
  return sum / static_cast<double>(std::max<std::size_t>(1, completion.logprobs.size()));
}

std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

/// RFC 4648, section 4; "" for text that is none.
std::string from_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return "";
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

/// The token that a field of Authorization shows: a bearer's, or the password that a browser sends.
std::string token_of(const std::string& authorization) {
  constexpr std::string_view kBearer = "bearer ";
  constexpr std::string_view kBasic = "basic ";
  const std::string scheme = to_lower_ascii(authorization.substr(0, kBearer.size()));
  if (scheme == kBearer) return authorization.substr(kBearer.size());
  if (!scheme.starts_with(kBasic)) return "";
  const std::string pair = from_base64(trim_ascii(authorization.substr(kBasic.size())));
  const std::size_t colon = pair.find(':');
  return colon == std::string::npos ? "" : pair.substr(colon + 1);
}

}  // namespace

bool is_own_host(const std::string& host, const std::vector<std::string>& names) {
  std::string name = to_lower_ascii(host);
  const std::size_t colon = name.rfind(':');
  if (colon != std::string::npos && name.find(']', colon) == std::string::npos) {
    if (!parse_int(std::string_view(name).substr(colon + 1))) return false;
    name.resize(colon);
  }
  if (name == "localhost" || is_ip_address(name)) return true;
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& own) { return to_lower_ascii(own) == name; });
}

Routes::Routes(const Session& session, const ServerOptions& options, std::vector<PageRoute> pages)
    : info_(session.info()),
      options_(options),
      pages_(std::move(pages)),
      encoder_(*session.encoder()),
      started_(unix_seconds()) {
  limits_.models = {options.model_name.empty() ? info_.name : options.model_name};
  limits_.max_choices =
      std::min<std::int64_t>(limits_.max_choices, static_cast<std::int64_t>(options.max_queue));
}

void Routes::check_host(const std::string& host) const {
  if (is_own_host(host, options_.hosts)) return;
  throw ApiError(421, fmt::format("this server is not \"{}\"; its operator can add the name with "
                                  "--host-name",
                                  escaped(host, 100)));
}

void Routes::check_token(const HttpRequest& head) const {
  if (options_.token.empty() || head.path == "/health") return;
  // Digests, so that the time of the comparison tells nothing of the token.
  if (sha256_hex(token_of(head.authorization)) == sha256_hex(options_.token)) return;
  ApiError error(401, head.authorization.empty() ? "no API key was given" : "incorrect API key", "",
                 "invalid_api_key");
  // A browser asks its user for the token where a page wants one.
  error.headers.emplace_back("WWW-Authenticate",
                             is_page(head.path) ? "Basic realm=\"assay\"" : "Bearer");
  throw error;
}

void Routes::admit(const HttpRequest& head) const {
  check_host(head.host);
  check_token(head);
  std::string_view method;
  for (const Path& known : kPaths) {
    if (known.path == head.path) method = known.method;
  }
  if (is_page(head.path) || head.path.starts_with(kModelPrefix)) method = "GET";
  if (method.empty()) {
    throw ApiError(404, fmt::format("no such path: {}", escaped(head.path, 100)), "", "not_found");
  }
  if (head.method != method && !(head.method == "HEAD" && method == "GET")) {
    ApiError error(405, fmt::format("{} takes {}", escaped(head.path, 100), method));
    error.headers.emplace_back("Allow", method == "GET" ? "GET, HEAD" : "POST");
    throw error;
  }
  const std::string type = head.content_type.substr(0, head.content_type.find(';'));
  if (method == "POST" && trim_ascii(type) != "application/json") {
    throw ApiError(415, "the body must be of Content-Type application/json");
  }
}

bool Routes::is_page(const std::string& path) const {
  return std::any_of(pages_.begin(), pages_.end(),
                     [&](const PageRoute& page) { return page.path == path; });
}

std::string Routes::label(const std::string& path) const {
  if (path.starts_with(kModelPrefix)) return "/v1/models";
  for (const Path& known : kPaths) {
    if (known.path == path) return path;
  }
  return is_page(path) ? path : "other";
}

bool Routes::generates(std::string_view path) {
  return path == "/v1/completions" || path == "/v1/chat/completions";
}

EncodedPrompt Routes::encode(const PromptInput& prompt, const ApiRequest& api) const {
  const char* field = api.chat ? "messages" : "prompt";
  EncodedPrompt out;
  try {
    out.ids = encoder_.encode(prompt);
  } catch (const Error& error) {
    throw ApiError(400, error.what(), field);
  }
  if (out.ids.empty()) throw ApiError(400, fmt::format("'{}' has no tokens", field), field);
  const auto size = static_cast<std::int64_t>(out.ids.size());
  const std::int64_t least = api.max_tokens == 0 ? 0 : 1;
  if (size + least > info_.context && !options_.truncate_prompts) {
    throw ApiError(400,
                   fmt::format("This model's maximum context length is {} tokens. However, your "
                               "{} resulted in {} tokens.",
                               info_.context, field, size),
                   field, "context_length_exceeded");
  }
  if (api.echo) {
    out.text = prompt.form == PromptInput::Form::kIds
                   ? replace_invalid_utf8(encoder_.tokenizer().decode(out.ids))
                   : prompt.text;
  }
  return out;
}

PreparedCall Routes::prepare(const HttpRequest& request) const {
  PreparedCall out;
  const Json body = parse_body(request);
  out.api = request.path == "/v1/completions" ? parse_completion(body, limits_)
                                              : parse_chat(body, limits_);
  ApiRequest& api = out.api;
  if (!api.has_seed && api.sampling.temperature > 0) api.sampling.seed = fresh_seed();
  if (!api.sampling.logit_bias.empty()) {
    const bool known = api.sampling.logit_bias.back().first < encoder_.tokenizer().vocab_size();
    if (!known)
      throw ApiError(400, "'logit_bias' names a token beyond the vocabulary", "logit_bias");
    if (info_.device == "cuda") {
      throw ApiError(400, "'logit_bias' is not supported on this device", "logit_bias");
    }
  }
  for (const PromptInput& prompt : api.prompts) {
    out.prompts.push_back(encode(prompt, api));
    Request one;
    one.id = api.request_id;
    one.prompt = {.form = PromptInput::Form::kIds, .ids = out.prompts.back().ids};
    one.sampling = api.sampling;
    const auto size = static_cast<std::int64_t>(one.prompt.ids.size());
    one.sampling.max_tokens =
        api.max_tokens.value_or(std::max<std::int64_t>(1, info_.context - size));
    one.logprobs = api.logprobs;
    one.prompt_logprobs = api.echo && api.logprobs >= 0;
    if (api.best_of > api.n) one.logprobs = std::max(0, one.logprobs);
    if (api.max_tokens == 0) {  // the engine generates nothing only where it scores the prompt
      one.logprobs = std::max(0, one.logprobs);
      one.prompt_logprobs = true;
    }
    for (int choice = 0; choice < api.best_of; ++choice) {
      one.repeat = api.repeat + choice;
      out.requests.push_back(one);
    }
  }
  return out;
}

std::vector<Completion> Routes::best(const ApiRequest& api, std::vector<Completion> made) {
  if (api.best_of == api.n) return made;
  std::vector<Completion> out;
  for (auto first = made.begin(); first != made.end(); first += api.best_of) {
    std::stable_sort(first, first + api.best_of, [](const Completion& a, const Completion& b) {
      return likelihood(a) > likelihood(b);
    });
    std::move(first, first + api.n, std::back_inserter(out));
  }
  return out;
}

ReplyContext Routes::reply_context(const PreparedCall& call, std::string id) const {
  return {.id = (call.api.chat ? "chatcmpl-" : "cmpl-") + std::move(id),
          .created = unix_seconds(),
          .model = model_name(),
          .fingerprint =
              fmt::format("{}-{}-{}", info_.setting, info_.arithmetic, info_.digest.substr(0, 12)),
          .request = &call.api,
          .tokenizer = &encoder_.tokenizer(),
          .prompts = call.prompts};
}

Json Routes::identity() const {
  Json out;
  out.set("name", info_.name);
  out.set("digest", info_.digest);
  out.set("tokenizer_digest", info_.tokenizer_digest);
  out.set("parameters", info_.parameters);
  out.set("weight_bytes", info_.weight_bytes);
  out.set("setting", info_.setting);
  out.set("kv", info_.kv);
  out.set("device", info_.device);
  out.set("arithmetic", info_.arithmetic);
  return out;
}

HttpReply Routes::models(const std::string& path) const {
  Json model;
  model.set("id", model_name());
  model.set("object", "model");
  model.set("created", started_);
  model.set("owned_by", "assay");
  model.set("max_model_len", info_.context);
  model.set("assay", identity());
  if (path.starts_with(kModelPrefix)) {
    const std::string name = path.substr(kModelPrefix.size());
    if (name != model_name()) {
      throw ApiError(404, fmt::format("The model `{}` does not exist", escaped(name, 100)), "model",
                     "model_not_found");
    }
    return {.body = model.dump()};
  }
  Json out;
  out.set("object", "list");
  out.set("data", Json::Array{std::move(model)});
  return {.body = out.dump()};
}

HttpReply Routes::tokenize(const HttpRequest& request) const {
  const ApiTokenize asked = parse_tokenize(parse_body(request), limits_);
  std::vector<TokenId> ids;
  try {
    if (asked.prompt.form == PromptInput::Form::kChat) {
      ids = encoder_.encode(asked.prompt);
    } else {
      ids = encoder_.tokenizer().encode(asked.prompt.text, asked.special);
      const auto bos = encoder_.tokenizer().bos();
      if (asked.bos && bos && (ids.empty() || ids.front() != *bos)) ids.insert(ids.begin(), *bos);
    }
  } catch (const Error& error) {
    throw ApiError(400, error.what());
  }
  Json::Array tokens;
  for (const TokenId id : ids) tokens.emplace_back(static_cast<std::int64_t>(id));
  Json out;
  out.set("tokens", std::move(tokens));
  out.set("count", ids.size());
  out.set("max_model_len", info_.context);
  return {.body = out.dump()};
}

HttpReply Routes::detokenize(const HttpRequest& request) const {
  const std::vector<TokenId> ids = parse_detokenize(parse_body(request), limits_);
  std::string text;
  try {
    text = replace_invalid_utf8(encoder_.tokenizer().decode(ids, {.show_special = true}));
  } catch (const Error& error) {
    throw ApiError(400, error.what(), "tokens");
  }
  Json out;
  out.set("prompt", text);
  out.set("content", text);
  return {.body = out.dump()};
}

HttpReply Routes::answer(const HttpRequest& request) const {
  if (request.path == "/tokenize") return tokenize(request);
  if (request.path == "/detokenize") return detokenize(request);
  for (const PageRoute& page : pages_) {
    if (page.path != request.path) continue;
    try {
      return page.make();
    } catch (const Error& error) {
      log_warning("{}: {}", page.path, escaped(error.what(), 1000));
      throw ApiError(500, "this page cannot be made; the server's log says why");
    }
  }
  return models(request.path);
}

}  // namespace assay::engine
