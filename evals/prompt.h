// What a model is asked: chat messages or plain text, and what is wanted back.
#pragma once

#include <string>
#include <vector>

namespace assay::evals {

struct Message {
  std::string role;  // "system", "user", "assistant"
  std::string content;
  friend bool operator==(const Message&, const Message&) = default;
};

enum class PromptForm {
  kText,      // raw text for a base model; the tokenizer adds BOS
  kChat,      // messages through the model's chat template
  kBareChat,  // messages as chat turns without the template's own system block (Meta's own
              // evaluations)
  kRendered,  // text that already holds header tokens (published prompts); BOS is added, specials
              // are parsed
};

struct Prompt {
  PromptForm form = PromptForm::kText;
  std::string text;               // kText, kRendered
  std::vector<Message> messages;  // kChat, kBareChat
  std::string assistant_prefix;   // opened, unfinished assistant turn
  std::vector<std::string>
      continuations;              // not empty: wanted is the log-likelihood of each, not text
  std::vector<std::string> stop;  // stop strings of this prompt, beside the protocol's
  friend bool operator==(const Prompt&, const Prompt&) = default;
};

}  // namespace assay::evals
