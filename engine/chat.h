// Chat messages to prompt text, natively for the known formats of Llama 3. A template is a program;
// it is not run but recognised, and an unknown one is refused.
// Formats: Meta's model cards and prompt guides for Llama 3.0, 3.1, 3.2 and 3.3 (text, no tools).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace assay::engine {

enum class ChatFormat {
  kLlama30,  // messages only
  kLlama31,  // a system block with two dates before all messages; Llama 3.3 too
  kLlama32,  // the same; its template takes today's date, here it is fixed like the others
  kPlain,    // no roles, no special tokens: trimmed texts, each followed by an empty line
};

/// "llama-3.0", "llama-3.1", "llama-3.2", "plain".
std::string_view chat_format_name(ChatFormat format);
/// Throws: Error(kInput) with the known names.
ChatFormat chat_format_from(std::string_view name);

/// The format that a Jinja template of a published Llama 3 model renders, or nothing. Recognised by
/// the digest of its text without comments and white space.
std::optional<ChatFormat> recognise_template(std::string_view chat_template);

/// Part of a rendered prompt. Only special parts may become special tokens.
struct ChatPart {
  bool special = false;
  std::string text;  // the name of a special token, or text to be encoded as plain text
  friend bool operator==(const ChatPart&, const ChatPart&) = default;
};

struct ChatOptions {
  ChatFormat format = ChatFormat::kLlama31;
  std::string date = "26 Jul 2024";  // of the system block
  bool system_block = true;          // false: Meta's bare form, which equals kLlama30
  std::string assistant_prefix;      // begins the answer; appended as it is, not trimmed
};

/// The prompt without BOS, up to and including the opened assistant turn. Neighbouring texts are
/// one part, so that they are tokenized together. Contents are trimmed as Python's str.strip does.
/// Throws: Error(kInput) for a role other than system, user, assistant or ipython.
std::vector<ChatPart> render_chat(std::span<const ChatMessage> messages,
                                  const ChatOptions& options);

/// Bytes of `text` that are white space at its end, as Python's str.rstrip would remove them.
std::size_t trailing_white_space(std::string_view text);

}  // namespace assay::engine
