// The JSON of an OpenAI-compatible server, read: whole answers and the chunks of streams have one
// form here. Everything in it is untrusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/generators/http/call.h"
#include "engine/generators/http/fault.h"
#include "engine/request.h"

namespace assay::engine {

inline constexpr TokenId kUnknownToken = -1;

struct ReplyToken {
  std::string text;
  TokenId id = kUnknownToken;
  std::optional<double> logprob;  // the first token of a prompt has none
  struct Other {
    std::string text;
    TokenId id = kUnknownToken;
    double logprob = 0;
  };
  std::vector<Other> top;  // in the server's order
};

/// What one chunk, or a whole answer, says of its first choice.
struct Reply {
  std::string text;
  std::vector<ReplyToken> tokens;   // where log-probabilities were asked for
  std::vector<TokenId> ids;         // where the server tells them
  std::vector<TokenId> prompt_ids;  // the same
  std::string finish_reason;        // "" while there is none
  bool has_stop_reason = false;     // the server says what stopped it,
  std::string stop_reason;          // and this text of the request did, or none did
  std::int64_t prompt_tokens = -1;  // -1: not told
  std::int64_t output_tokens = -1;
  std::int64_t cached_tokens = -1;
  std::string model;
  std::string fingerprint;
};

/// Throws: Fault(kMalformed) for text that is no such answer; for an error object the fault
/// that it tells of.
Reply read_reply(std::string_view json);

/// The fault that an answer of another status than 200 is. Knows the codes of bad keys, unknown
/// models and used-up quotas. Redirects are not followed: key and prompts would go to an address
/// that nobody named.
Fault status_fault(const ReplyHead& head, std::string_view body);

}  // namespace assay::engine
