// The bodies of /v1/completions, /v1/chat/completions, /tokenize and /detokenize, read and checked.
// Fields and limits: docs/serve.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/request.h"

namespace assay::engine {

/// A request for completions, chat or plain.
struct ApiRequest {
  bool chat = false;
  std::vector<PromptInput> prompts;        // one where `chat`
  SamplingParams sampling;                 // max_tokens: see below
  std::optional<std::int64_t> max_tokens;  // nothing: as many as the context holds
  bool has_seed = false;
  std::string request_id;   // with `repeat` and the seed it keys the random numbers
  std::int64_t repeat = 0;  // of the first choice; the others follow
  int n = 1;                // choices of each prompt that are told,
  int best_of = 1;          // of so many that are made
  int logprobs = -1;        // as Request has it
  bool echo = false;
  bool stream = false;
  bool include_usage = false;
  bool token_ids = false;  // tell the ids of prompt and answer
};

struct ApiTokenize {
  PromptInput prompt;
  bool bos = true;       // with the token that begins a text
  bool special = false;  // names of special tokens are these tokens
};

struct ApiLimits {
  std::vector<std::string> models;  // names that "model" may have
  std::int64_t max_choices = 128;   // of one request, all prompts together
};

/// All throw ApiError(400), and ApiError(404) for another model than this server's.
ApiRequest parse_completion(const Json& body, const ApiLimits& limits);
ApiRequest parse_chat(const Json& body, const ApiLimits& limits);
ApiTokenize parse_tokenize(const Json& body, const ApiLimits& limits);
std::vector<TokenId> parse_detokenize(const Json& body, const ApiLimits& limits);

}  // namespace assay::engine
