// Prompts of every form to token ids, with BOS exactly once; contexts and continuations to two
// lists of ids that meet where they should.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat.h"
#include "engine/model_config.h"
#include "engine/request.h"
#include "engine/tokenizer.h"
#include "engine/tokenizer_load.h"

namespace assay::engine {

/// Which chat format a model's prompts take, and why.
struct ChatChoice {
  std::optional<ChatFormat> format;  // nothing: chat prompts are refused, for `reason`
  std::string reason;                // a sentence for people and for the run's record
};

/// `wanted` is "auto" or a name of engine/chat.h. "auto" recognises the folder's template; without
/// one, or with an unknown one, there is no format. Throws: Error(kInput) for an unknown name, or
/// a format whose special tokens the tokenizer lacks.
ChatChoice choose_chat_format(const std::string& wanted, const LoadedTokenizer& loaded);

/// Stop ids of the configuration, else the tokenizer's own end of text.
std::vector<TokenId> stop_ids_for(const ModelConfig& config, const Tokenizer& tokenizer);

/// Throws: Error(kInput) when the tokenizer makes ids that the embedding does not have.
void check_tokenizer_fits(const ModelConfig& config, const LoadedTokenizer& loaded);

class PromptEncoder {
 public:
  /// `tokenizer` must outlive the encoder. `chat_date` as in EngineOptions.
  PromptEncoder(const Tokenizer& tokenizer, ChatChoice chat, std::string chat_date);

  /// Ids of a prompt. Forms other than kIds begin with BOS exactly once, where there is one; text
  /// that a template does not own never becomes a special token.
  /// Throws: Error(kInput) for invalid UTF-8, a second BOS in kRendered, ids outside the
  /// vocabulary, or a chat prompt without a chat format.
  [[nodiscard]] std::vector<TokenId> encode(const PromptInput& prompt) const;

  struct Continuation {
    std::vector<TokenId> context;       // what the model reads first
    std::vector<TokenId> continuation;  // what is scored, at least one id
    bool boundary_changed = false;      // encoded together the context's last ids would differ
  };
  /// Context and continuation are encoded together and split at the context's own token count.
  /// White space at the context's end belongs to the continuation, unless the template wrote it.
  /// Source: lm-eval's rule, as EleutherAI's harness documents it.
  /// Throws: as `encode`, or when the continuation adds no token.
  [[nodiscard]] Continuation encode_continuation(const PromptInput& prompt,
                                                 std::string_view continuation) const;

  /// The prompt as text, special tokens by their names, BOS included.
  [[nodiscard]] std::string render(const PromptInput& prompt) const;

  [[nodiscard]] const ChatChoice& chat() const { return chat_; }
  [[nodiscard]] const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  [[nodiscard]] std::vector<ChatPart> parts_of(const PromptInput& prompt) const;
  void append(const ChatPart& part, std::vector<TokenId>& ids) const;
  [[nodiscard]] std::vector<TokenId> with_bos(std::vector<TokenId> ids,
                                              PromptInput::Form form) const;
  void check_ids(std::span<const TokenId> ids) const;

  const Tokenizer* tokenizer_;
  ChatChoice chat_;
  std::string chat_date_;
};

}  // namespace assay::engine
