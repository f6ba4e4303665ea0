// What is known of a server: its model's name there, and what it can do.
#pragma once

#include <cstdint>
#include <string>

namespace assay::engine {

/// How the likelihood of a continuation is had from a server.
enum class Scoring {
  kNone,
  kEcho,  // /completions returns the prompt's own tokens with their log-probabilities
  kTop,   // the first token's best log-probabilities; for continuations of one token
};

struct ServerTraits {
  std::string model;          // name sent with each request
  bool token_ids = false;     // "return_token_ids" is understood: ids of prompt and answer are told
  bool request_keys = false;  // "request_id" and "repeat" key the random numbers, as in assay
  bool bare_chat = false;     // "system_block": false is understood
  bool special_text = false;  // special tokens in plain prompts are read as such
  bool prefix = false;        // an unfinished assistant message is continued
  Scoring scoring = Scoring::kNone;
  std::int64_t echo_tokens = 0;  // kEcho: the fewest tokens that must be generated: 0 or 1
  int top = 0;                   // the most log-probabilities a token that it gives
};

}  // namespace assay::engine
