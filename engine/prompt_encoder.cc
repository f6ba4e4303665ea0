#include "engine/prompt_encoder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"

namespace assay::engine {
namespace {

/// A chat format needs its special tokens to be tokens.
void check_special_tokens(ChatFormat format, const LoadedTokenizer& loaded) {
  if (format == ChatFormat::kPlain) return;
  for (const char* name : {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) {
    if (!loaded.tokenizer->added_id(name)) {
      throw_input("{}: chat format {} needs the special token {}, which this tokenizer lacks",
                  loaded.source, chat_format_name(format), name);
    }
  }
}

}  // namespace

ChatChoice choose_chat_format(const std::string& wanted, const LoadedTokenizer& loaded) {
  ChatChoice out;
  if (wanted != "auto") {
    out.format = chat_format_from(wanted);
    out.reason = "chosen by option";
  } else if (loaded.chat_template.empty()) {
    out.reason =
        "the model has no chat template; choose a format (chat format llama-3.1, plain "
        "...) or use a protocol with plain-text prompts";
    return out;
  } else {
    out.format = recognise_template(loaded.chat_template);
    if (!out.format) {
      out.reason = loaded.template_source +
                   ": this chat template is not one of the known ones (Llama 3.0 to 3.3); choose "
                   "the format that it renders (chat format llama-3.0, llama-3.1, llama-3.2, "
                   "plain) or use a protocol with plain-text prompts";
      return out;
    }
    out.reason = "recognised from " + loaded.template_source;
  }
  check_special_tokens(*out.format, loaded);
  return out;
}

std::vector<TokenId> stop_ids_for(const ModelConfig& config, const Tokenizer& tokenizer) {
  if (!config.stop_ids.empty()) return config.stop_ids;
  if (tokenizer.eos()) return {*tokenizer.eos()};
  return {};
}

void check_tokenizer_fits(const ModelConfig& config, const LoadedTokenizer& loaded) {
  if (loaded.tokenizer->vocab_size() > config.vocab) {
    throw_input("{}: token ids up to {}, but config.json has vocab_size {}: files of two models?",
                loaded.source, loaded.tokenizer->vocab_size() - 1, config.vocab);
  }
}

PromptEncoder::PromptEncoder(const Tokenizer& tokenizer, ChatChoice chat, std::string chat_date)
    : tokenizer_(&tokenizer), chat_(std::move(chat)), chat_date_(std::move(chat_date)) {}

std::vector<ChatPart> PromptEncoder::parts_of(const PromptInput& prompt) const {
  std::vector<ChatPart> out;
  switch (prompt.form) {
    case PromptInput::Form::kText:
      if (!prompt.text.empty()) out.push_back({false, prompt.text});
      return out;
    case PromptInput::Form::kRendered:
      for (const TextPart& part : tokenizer_->split_added(prompt.text, true)) {
        out.push_back({part.id.has_value(), std::string(part.text)});
      }
      return out;
    case PromptInput::Form::kChat:
      if (!chat_.format) throw_input("chat prompt: {}", chat_.reason);
      return render_chat(prompt.messages, {.format = *chat_.format,
                                           .date = chat_date_,
                                           .system_block = prompt.system_block,
                                           .assistant_prefix = prompt.assistant_prefix});
    case PromptInput::Form::kIds:
      break;
  }
  ASSAY_CHECK(false, "ids have no parts");
}

void PromptEncoder::append(const ChatPart& part, std::vector<TokenId>& ids) const {
  if (part.special) {
    const std::optional<TokenId> id = tokenizer_->added_id(part.text);
    ASSAY_CHECK(id.has_value(), "special parts are names of added tokens");
    ids.push_back(*id);
    return;
  }
  const std::vector<TokenId> text_ids = tokenizer_->encode(part.text, false);
  ids.insert(ids.end(), text_ids.begin(), text_ids.end());
}

std::vector<TokenId> PromptEncoder::with_bos(std::vector<TokenId> ids,
                                             PromptInput::Form form) const {
  const std::optional<TokenId> bos = tokenizer_->bos();
  if (!bos) return ids;
  if (ids.empty() || ids.front() != *bos) ids.insert(ids.begin(), *bos);
  const auto count = std::count(ids.begin(), ids.end(), *bos);
  if (form == PromptInput::Form::kRendered && count != 1) {
    throw_input("rendered prompt: the token that begins a text stands {} times in it", count);
  }
  ASSAY_CHECK(count == 1, "exactly one BOS");
  return ids;
}

void PromptEncoder::check_ids(std::span<const TokenId> ids) const {
  for (const TokenId id : ids) (void)tokenizer_->token_bytes(id);
}

std::vector<TokenId> PromptEncoder::encode(const PromptInput& prompt) const {
  if (prompt.form == PromptInput::Form::kIds) {
    check_ids(prompt.ids);
    return prompt.ids;
  }
  std::vector<TokenId> ids;
  for (const ChatPart& part : parts_of(prompt)) append(part, ids);
  return with_bos(std::move(ids), prompt.form);
}

PromptEncoder::Continuation PromptEncoder::encode_continuation(const PromptInput& prompt,
                                                               std::string_view text) const {
  Continuation out;
  if (prompt.form == PromptInput::Form::kIds) {
    out.context = encode(prompt);
    out.continuation = tokenizer_->encode(text, false);
  } else {
    std::vector<ChatPart> parts = parts_of(prompt);
    std::string last;
    if (!parts.empty() && !parts.back().special) {
      last = std::move(parts.back().text);
      parts.pop_back();
    }
    std::size_t moved = trailing_white_space(last);
    if (moved == last.size() && !parts.empty()) moved = 0;  // the blank lines of a header
    const std::string whole_text = last + std::string(text);
    last.resize(last.size() - moved);
    std::vector<TokenId> before;
    for (const ChatPart& part : parts) append(part, before);
    std::vector<TokenId> context = tokenizer_->encode(last, false);
    const std::vector<TokenId> whole = tokenizer_->encode(whole_text, false);
    const auto split = static_cast<std::ptrdiff_t>(std::min(context.size(), whole.size()));
    out.continuation.assign(whole.begin() + split, whole.end());
    out.boundary_changed = !std::equal(context.begin(), context.begin() + split, whole.begin());
    before.insert(before.end(), context.begin(), context.end());
    out.context = with_bos(std::move(before), prompt.form);
  }
  if (out.continuation.empty()) {
    throw_input("continuation \"{}\" adds no token to its context", escaped(text, 60));
  }
  return out;
}

std::string PromptEncoder::render(const PromptInput& prompt) const {
  return tokenizer_->decode(encode(prompt), {.show_special = true, .continues = false});
}

}  // namespace assay::engine
