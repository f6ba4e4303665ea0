// What a model answered to one request.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.h"

namespace assay::engine {

enum class FinishReason {
  kStop,    // a stop string
  kEos,     // a stop id
  kLength,  // max_tokens or the context
  kScored,  // continuations were scored
  kError,   // `error` says why; nothing else is set
};

/// "stop", "eos", "length", "scored", "error": as stored and printed.
const char* finish_reason_name(FinishReason reason);

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;                           // natural log
  std::vector<std::pair<TokenId, float>> top;  // by (log-probability descending, id ascending)
};

struct ContinuationScore {
  double logprob = 0;   // sum over the continuation's tokens
  bool greedy = false;  // each token was the argmax
  std::vector<TokenId> ids;
  std::vector<float> logprobs;  // one per id
};

/// Log-probabilities of a prompt's own tokens, from the second on: [prompt tokens - 1].
struct PromptLogprobs {
  std::vector<double> logprobs;                             // natural log
  std::vector<std::vector<std::pair<TokenId, float>>> top;  // as TokenLogprob has it
};

/// Nanoseconds on a monotonic clock. "first" is when the first token was known.
struct RequestTimes {
  std::int64_t scheduled_ns = 0;
  std::int64_t sent_ns = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
};

/// How a server came to answer; empty for models of this process.
struct Served {
  std::string endpoint;     // address, without credentials
  std::string model;        // as the server names it
  std::string fingerprint;  // its "system_fingerprint"
  std::int64_t attempts = 0;
  std::int64_t waited_ns = 0;       // between attempts
  std::vector<std::string> faults;  // of the attempts that failed, the first ones
  friend bool operator==(const Served&, const Served&) = default;
};

struct Completion {
  std::vector<TokenId> prompt_ids;
  std::vector<TokenId> ids;  // generated, the stop id included
  std::string text;          // without stop id and stop string; valid UTF-8
  std::string stop;          // kStop: the stop string that was met
  FinishReason finish_reason = FinishReason::kError;
  std::vector<TokenLogprob> logprobs;  // one per generated id when asked for
  std::vector<ContinuationScore> continuations;
  PromptLogprobs prompt_logprobs;  // empty where not asked for
  RequestTimes times;
  std::int64_t truncated_prompt_tokens = 0;  // oldest ids left out to fit the context
  std::int64_t cached_prompt_tokens = 0;     // taken from the prefix cache
  std::int64_t prompt_tokens = 0;            // as a server counts them, where ids are not told;
  std::int64_t output_tokens = 0;            // 0: the ids' number
  Served served;
  std::string error;
};

}  // namespace assay::engine
