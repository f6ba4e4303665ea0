// Answers as OpenAI's JSON: whole ones and the chunks of streams.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/completion.h"
#include "engine/server/api_request.h"
#include "engine/tokenizer.h"

namespace assay::engine {

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;  // of these, from the prefix cache
  std::int64_t completion_tokens = 0;
};

/// A prompt as it was asked, and as the engine got it.
struct EncodedPrompt {
  std::string text;  // what echo shows
  std::vector<TokenId> ids;
};

/// What writing of one answer needs to know; refers to what its maker keeps.
struct ReplyContext {
  std::string id;
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
  std::string fingerprint;
  const ApiRequest* request = nullptr;
  const Tokenizer* tokenizer = nullptr;
  std::span<const EncodedPrompt> prompts;
};

/// The whole answer. `choices[i]` belongs to prompt i / request.n.
std::string whole_reply(const ReplyContext& context, std::span<const Completion> choices,
                        const Usage& usage);

/// Makes the chunks of one choice of a stream, in order.
class ChunkWriter {
 public:
  /// `context` must outlive it.
  ChunkWriter(const ReplyContext& context, std::size_t choice);
  /// Before all others; "" where there is nothing to say.
  std::string first();
  /// What newly became visible.
  std::string next(std::string_view text, std::span<const TokenId> ids,
                   std::span<const TokenLogprob> logprobs);
  std::string last(const Completion& completion);

 private:
  [[nodiscard]] Json choice(std::string_view text, Json logprobs, Json finish) const;
  [[nodiscard]] std::string wrap(Json choice) const;

  const ReplyContext* context_;
  std::size_t choice_;
  StreamDecoder decoder_;    // of text offsets
  std::int64_t offset_ = 0;  // code points before the next token
};

/// The chunk that tells what a stream used.
std::string usage_chunk(const ReplyContext& context, const Usage& usage);

}  // namespace assay::engine
