#include "engine/generators/http/scoring.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "engine/chat.h"
#include "engine/generators/http/fault.h"

namespace assay::engine {
namespace {

/// What both ways share: a call for each step, whose whole answer is collected.
class ScoringDialogue : public Dialogue {
 public:
  ScoringDialogue(const Request& request, const ServerTraits& traits)
      : request_(request), traits_(traits) {
    completion_.continuations.resize(request.continuations.size());
  }

  HttpCall call() override {
    body_.clear();
    return next_call();
  }
  void take(const ReplyHead&, std::string_view bytes, std::int64_t at_ns) override {
    if (first_ns_ == 0) first_ns_ = at_ns;
    body_ += bytes;
  }
  void end(std::int64_t at_ns) override {
    Reply reply = read_reply(body_);
    if (!reply.model.empty()) completion_.served.model = reply.model;
    if (!reply.fingerprint.empty()) completion_.served.fingerprint = reply.fingerprint;
    hear(std::move(reply));
    last_ns_ = at_ns;
  }
  [[nodiscard]] std::int64_t first_ns() const override { return first_ns_; }
  [[nodiscard]] std::int64_t last_ns() const override { return last_ns_; }
  Completion finish() override {
    completion_.finish_reason = FinishReason::kScored;
    return std::move(completion_);
  }

 protected:
  virtual HttpCall next_call() = 0;
  virtual void hear(Reply reply) = 0;

  const Request& request_;
  const ServerTraits& traits_;
  Completion completion_;

 private:
  std::string body_;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

/// Prompt and continuation together as a prompt that is echoed; where the tokens do not meet at
/// the border, the context alone once more, whose token count then is the border.
class EchoDialogue : public ScoringDialogue {
 public:
  using ScoringDialogue::ScoringDialogue;

  [[nodiscard]] bool done() const override { return step_ == request_.continuations.size(); }

 private:
  HttpCall next_call() override {
    Request echo = request_;
    echo.continuations.clear();
    echo.logprobs = 1;
    echo.sampling = {.max_tokens = traits_.echo_tokens};
    echo.prompt.text += request_.prompt.assistant_prefix;
    echo.prompt.assistant_prefix.clear();
    if (!wants_context_) echo.prompt.text += request_.continuations[step_];
    HttpCall call = completions_call(echo, traits_, false);
    call.body.insert(1, "\"echo\":true,");
    call.max_reply = std::size_t{32} << 20;
    return call;
  }

  void hear(Reply reply) override {
    // What was generated stands behind the prompt's tokens; not every server lists it.
    const auto generated = static_cast<std::size_t>(traits_.echo_tokens);
    std::span<const ReplyToken> tokens = reply.tokens;
    if (tokens.size() <= generated) {
      throw Fault(FaultKind::kMalformed, "the answer does not repeat the prompt's tokens");
    }
    tokens = tokens.first(tokens.size() - generated);
    if (wants_context_) {
      const std::size_t begin = tokens.size() - white_tokens(tokens);
      set_prompt(kept_prompt_ids_, begin);
      settle(std::exchange(kept_, {}), begin);
      return;
    }
    const std::string ending = border_white_space() + request_.continuations[step_];
    if (const auto begin = begin_of_ending(tokens, ending)) {
      settle({tokens.begin(), tokens.end()}, *begin);
      set_prompt(reply.prompt_ids, *begin);
      return;
    }
    kept_.assign(tokens.begin(), tokens.end());
    kept_prompt_ids_ = std::move(reply.prompt_ids);
    wants_context_ = true;
  }

  /// White space at the context's end belongs to the continuation.
  [[nodiscard]] std::string border_white_space() const {
    const std::string context = request_.prompt.text + request_.prompt.assistant_prefix;
    return context.substr(context.size() - trailing_white_space(context));
  }

  /// Tokens of the context alone that are white space at its end.
  [[nodiscard]] std::size_t white_tokens(std::span<const ReplyToken> tokens) const {
    const auto begin = begin_of_ending(tokens, border_white_space());
    return begin ? tokens.size() - *begin : 0;
  }

  /// The context of the first continuation is what the record shows as the prompt.
  void set_prompt(std::span<const TokenId> ids, std::size_t context_tokens) {
    if (completion_.prompt_tokens > 0) return;
    completion_.prompt_tokens = static_cast<std::int64_t>(context_tokens);
    if (ids.size() < context_tokens) return;
    completion_.prompt_ids.assign(ids.begin(),
                                  ids.begin() + static_cast<std::ptrdiff_t>(context_tokens));
  }

  void settle(std::vector<ReplyToken> tokens, std::size_t begin) {
    if (begin >= tokens.size()) {
      throw Fault(FaultKind::kMalformed, "a continuation adds no token to its context");
    }
    completion_.continuations[step_] = score_of(std::span(tokens).subspan(begin));
    wants_context_ = false;
    ++step_;
  }

  std::size_t step_ = 0;  // the continuation that is being scored
  bool wants_context_ = false;
  std::vector<TokenId> kept_prompt_ids_;
  std::vector<ReplyToken> kept_;  // of context and continuation, while the context is asked for
};

/// One token is asked for, with as many of its best alternatives as the server gives; each
/// continuation must be one of them.
class TopDialogue : public ScoringDialogue {
 public:
  using ScoringDialogue::ScoringDialogue;

  [[nodiscard]] bool done() const override { return done_; }

 private:
  HttpCall next_call() override {
    Request ask = request_;
    ask.continuations.clear();
    ask.logprobs = traits_.top;
    ask.sampling = {.max_tokens = 1};
    return ask.prompt.form == PromptInput::Form::kChat ? chat_call(ask, traits_, false)
                                                       : completions_call(ask, traits_, false);
  }

  void hear(Reply reply) override {
    if (reply.tokens.empty() || reply.tokens.front().top.empty()) {
      throw Fault(FaultKind::kMalformed, "the answer has no alternatives to its first token");
    }
    if (reply.prompt_tokens >= 0) completion_.prompt_tokens = reply.prompt_tokens;
    const auto& top = reply.tokens.front().top;
    const auto best = std::max_element(
        top.begin(), top.end(), [](const auto& a, const auto& b) { return a.logprob < b.logprob; });
    for (std::size_t i = 0; i < request_.continuations.size(); ++i) {
      const std::string& wanted = request_.continuations[i];
      const auto found = std::find_if(top.begin(), top.end(),
                                      [&](const auto& other) { return other.text == wanted; });
      if (found == top.end()) {
        throw Fault(FaultKind::kRefused,
                    fmt::format("the continuation \"{}\" is not among the {} log-probabilities "
                                "that the server gives of the next token",
                                escaped(wanted, 40), top.size()));
      }
      completion_.continuations[i] = {.logprob = found->logprob,
                                      .greedy = found == best,
                                      .ids = {found->id},
                                      .logprobs = {static_cast<float>(found->logprob)}};
    }
    done_ = true;
  }

  bool done_ = false;
};

}  // namespace

std::optional<std::size_t> begin_of_ending(std::span<const ReplyToken> tokens,
                                           std::string_view ending) {
  std::size_t begin = tokens.size();
  while (!ending.empty()) {
    if (begin == 0) return std::nullopt;
    const std::string& text = tokens[begin - 1].text;
    if (text.empty() || !ending.ends_with(text)) return std::nullopt;
    ending.remove_suffix(text.size());
    --begin;
  }
  return begin;
}

ContinuationScore score_of(std::span<const ReplyToken> tokens) {
  ContinuationScore out;
  out.greedy = true;
  for (const ReplyToken& token : tokens) {
    if (!token.logprob) {
      throw Fault(FaultKind::kMalformed, "a token of a continuation has no log-probability");
    }
    out.logprob += *token.logprob;
    out.ids.push_back(token.id);
    out.logprobs.push_back(static_cast<float>(*token.logprob));
    const auto best =
        std::max_element(token.top.begin(), token.top.end(),
                         [](const auto& a, const auto& b) { return a.logprob < b.logprob; });
    const bool same = best != token.top.end() &&
                      (best->id != kUnknownToken ? best->id == token.id : best->text == token.text);
    out.greedy = out.greedy && same;
  }
  return out;
}

std::unique_ptr<Dialogue> make_scoring_dialogue(const Request& request,
                                                const ServerTraits& traits) {
  const bool chat = request.prompt.form == PromptInput::Form::kChat;
  if (traits.scoring == Scoring::kEcho && !chat) {
    return std::make_unique<EchoDialogue>(request, traits);
  }
  return std::make_unique<TopDialogue>(request, traits);
}

}  // namespace assay::engine
