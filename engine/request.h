// One thing asked of a model: a prompt, and either text or the likelihood of given continuations.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace assay::engine {

using TokenId = std::int32_t;

struct ChatMessage {
  std::string role;
  std::string content;
};

/// A prompt in one of four forms. Whatever the form, the ids begin with BOS exactly once
/// where the tokenizer has one, but for kIds, which is taken as it is.
struct PromptInput {
  enum class Form {
    kText,      // plain text, special tokens not parsed
    kRendered,  // text in which special tokens are parsed (template-owned text only)
    kChat,      // messages through the model's chat template
    kIds,
  };
  Form form = Form::kText;
  std::string text;
  std::vector<ChatMessage> messages;
  std::string assistant_prefix;  // unfinished assistant turn, appended after the generation header
  bool system_block = true;      // kChat: false leaves out the template's own system block
  std::vector<TokenId> ids;
};

struct SamplingParams {
  double temperature = 0;  // 0: argmax, ties to the lowest id
  std::int64_t top_k = 0;  // 0: off
  double top_p = 1;
  double min_p = 0;
  std::uint64_t seed = 0;
  std::int64_t max_tokens = 256;  // at least 1, or 0 to have the prompt's log-probabilities alone
  std::vector<std::string> stop;  // cut from the text together with what follows
  bool ignore_eos = false;        // for benchmarks of fixed length
  /// Added to the logits before a token is chosen; log-probabilities stay the model's own. Finite,
  /// each id once.
  std::vector<std::pair<TokenId, float>> logit_bias;
};

struct Request {
  std::string id;  // with seed and repeat it keys the random numbers: batch never matters
  std::int64_t repeat = 0;
  PromptInput prompt;
  SamplingParams sampling;
  int logprobs = -1;             // >= 0: log-probability of each generated token and that many best
  bool prompt_logprobs = false;  // the same of each prompt token; with `logprobs` >= 0 alone
  std::vector<std::string> continuations;  // not empty: score these, generate nothing
};

}  // namespace assay::engine
