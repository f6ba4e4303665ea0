// Texts: one call, streamed or whole.
#include <algorithm>

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/reply.h"
#include "engine/generators/http/scoring.h"

namespace assay::engine {
namespace {

constexpr std::size_t kMaxEvent = std::size_t{4} << 20;
constexpr std::string_view kEnd = "[DONE]";

/// "text/event-stream; charset=utf-8" is an event stream.
bool is_type(std::string_view content_type, std::string_view wanted) {
  return to_lower_ascii(trim_ascii(content_type.substr(0, content_type.find(';')))) == wanted;
}

TokenLogprob to_logprob(const ReplyToken& token) {
  TokenLogprob out{.id = token.id, .logprob = static_cast<float>(token.logprob.value_or(0))};
  for (const ReplyToken::Other& other : token.top) {
    out.top.emplace_back(other.id, static_cast<float>(other.logprob));
  }
  return out;
}

class TextDialogue : public Dialogue {
 public:
  TextDialogue(const Request& request, const ServerTraits& traits, DialogueOptions options)
      : request_(request), traits_(traits), options_(std::move(options)), events_(kMaxEvent) {}

  HttpCall call() override {
    completion_ = {};
    events_ = EventStream(kMaxEvent);
    whole_.clear();
    tokens_ = 0;
    first_ns_ = last_ns_ = 0;
    form_ = Form::kUnknown;
    finished_ = ended_ = false;
    return request_.prompt.form == PromptInput::Form::kChat
               ? chat_call(request_, traits_, options_.stream)
               : completions_call(request_, traits_, options_.stream);
  }

  void take(const ReplyHead& head, std::string_view bytes, std::int64_t at_ns) override {
    if (form_ == Form::kUnknown) form_ = form_of(head);
    if (form_ == Form::kWhole) {
      whole_ += bytes;
    } else {
      events_.feed(bytes, [&](std::string_view data) { take_event(data, at_ns); });
    }
  }

  void end(std::int64_t at_ns) override {
    if (!whole_.empty()) take_reply(read_reply(whole_), at_ns);
    if (!finished_ && !ended_) {
      throw Fault(FaultKind::kConnection, "the answer ended before it was finished");
    }
    if (!finished_ && completion_.text.empty() && tokens_ == 0) {
      throw Fault(FaultKind::kMalformed, "the answer has neither text nor a finish reason");
    }
    if (last_ns_ == 0) last_ns_ = at_ns;
    if (first_ns_ == 0) first_ns_ = last_ns_;
    done_ = true;
  }

  [[nodiscard]] bool done() const override { return done_; }
  [[nodiscard]] bool visible() const override { return options_.deltas && first_ns_ != 0; }
  [[nodiscard]] std::int64_t first_ns() const override { return first_ns_; }
  [[nodiscard]] std::int64_t last_ns() const override { return last_ns_; }

  Completion finish() override {
    Completion out = std::move(completion_);
    if (out.output_tokens == 0) out.output_tokens = tokens_;
    cut_at_stop(out);
    out.text = without_secrets(replace_invalid_utf8(out.text));
    return out;
  }

 private:
  enum class Form { kUnknown, kWhole, kEvents };

  /// Whole answers also come from a server that was asked for a stream and has none.
  [[nodiscard]] Form form_of(const ReplyHead& head) const {
    if (is_type(head.content_type, "application/json")) return Form::kWhole;
    if (options_.stream && is_type(head.content_type, "text/event-stream")) return Form::kEvents;
    throw Fault(FaultKind::kMalformed,
                fmt::format("the answer's content type is \"{}\", wanted is {}",
                            escaped(head.content_type, 60),
                            options_.stream ? "text/event-stream" : "application/json"));
  }

  void take_event(std::string_view data, std::int64_t at_ns) {
    if (ended_) return;
    if (trim_ascii(data) == kEnd) {
      ended_ = true;
      return;
    }
    take_reply(read_reply(data), at_ns);
  }

  void take_reply(Reply reply, std::int64_t at_ns) {
    if (!finished_ && !reply.finish_reason.empty()) set_finish(reply);
    const std::int64_t tokens = count_tokens(reply);
    if (tokens > 0 || !reply.text.empty()) {
      if (first_ns_ == 0) first_ns_ = at_ns;
      last_ns_ = at_ns;
      tokens_ += tokens;
      // One that does not end is not read for ever.
      if (tokens_ > 2 * request_.sampling.max_tokens + 16) {
        throw Fault(FaultKind::kMalformed, "the answer has more tokens than were asked for");
      }
      add(reply, tokens, at_ns);
    }
    if (!reply.prompt_ids.empty()) completion_.prompt_ids = std::move(reply.prompt_ids);
    if (reply.prompt_tokens >= 0) completion_.prompt_tokens = reply.prompt_tokens;
    if (reply.output_tokens >= 0) completion_.output_tokens = reply.output_tokens;
    if (reply.cached_tokens >= 0) completion_.cached_prompt_tokens = reply.cached_tokens;
    if (!reply.model.empty()) completion_.served.model = std::move(reply.model);
    if (!reply.fingerprint.empty()) completion_.served.fingerprint = std::move(reply.fingerprint);
  }

  /// Known where ids or log-probabilities stand; else a chunk with text is taken for one token.
  [[nodiscard]] static std::int64_t count_tokens(const Reply& reply) {
    if (!reply.ids.empty()) return static_cast<std::int64_t>(reply.ids.size());
    if (!reply.tokens.empty()) return static_cast<std::int64_t>(reply.tokens.size());
    return reply.text.empty() ? 0 : 1;
  }

  void add(const Reply& reply, std::int64_t tokens, std::int64_t at_ns) {
    completion_.text += reply.text;
    const std::size_t ids_before = completion_.ids.size();
    const std::size_t logprobs_before = completion_.logprobs.size();
    completion_.ids.insert(completion_.ids.end(), reply.ids.begin(), reply.ids.end());
    const bool has_ids =
        reply.ids.empty() && std::all_of(reply.tokens.begin(), reply.tokens.end(),
                                         [](const ReplyToken& t) { return t.id != kUnknownToken; });
    for (std::size_t i = 0; i < reply.tokens.size(); ++i) {
      TokenLogprob logprob = to_logprob(reply.tokens[i]);
      if (reply.ids.size() == reply.tokens.size()) logprob.id = reply.ids[i];
      completion_.logprobs.push_back(std::move(logprob));
      if (has_ids) completion_.ids.push_back(reply.tokens[i].id);
    }
    if (!options_.deltas) return;
    options_.deltas({.text = reply.text,
                     .ids = std::span(completion_.ids).subspan(ids_before),
                     .tokens = tokens,
                     .logprobs = std::span(completion_.logprobs).subspan(logprobs_before),
                     .at_ns = at_ns});
  }

  void set_finish(const Reply& reply) {
    finished_ = true;
    if (reply.finish_reason == "length") {
      completion_.finish_reason = FinishReason::kLength;
    } else if (reply.finish_reason == "stop" || reply.finish_reason == "eos") {
      // A server that does not say which of the two it was: with stop strings, one of them.
      const bool by_text =
          reply.has_stop_reason ? !reply.stop_reason.empty() : !request_.sampling.stop.empty();
      completion_.finish_reason = by_text ? FinishReason::kStop : FinishReason::kEos;
    } else {
      throw Fault(reply.finish_reason == "error" || reply.finish_reason == "abort"
                      ? FaultKind::kServer
                      : FaultKind::kRefused,
                  fmt::format("the server ended the answer for the reason \"{}\"",
                              escaped(reply.finish_reason, 60)));
    }
  }

  /// For servers that leave stop strings in.
  void cut_at_stop(Completion& out) const {
    if (out.finish_reason == FinishReason::kError) out.finish_reason = FinishReason::kEos;
    std::size_t end = std::string::npos;
    for (const std::string& stop : request_.sampling.stop) {
      if (!stop.empty()) end = std::min(end, out.text.find(stop));
    }
    if (end == std::string::npos) return;
    out.text.resize(end);
    out.finish_reason = FinishReason::kStop;
  }

  const Request& request_;
  const ServerTraits& traits_;
  DialogueOptions options_;
  EventStream events_;
  Form form_ = Form::kUnknown;  // of the answer, by its head
  std::string whole_;           // the body of an answer that is no stream
  Completion completion_;
  std::int64_t tokens_ = 0;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
  bool finished_ = false;  // a finish reason came
  bool ended_ = false;     // the stream's last event came
  bool done_ = false;
};

}  // namespace

std::unique_ptr<Dialogue> make_dialogue(const Request& request, const ServerTraits& traits,
                                        DialogueOptions options) {
  if (!request.continuations.empty()) return make_scoring_dialogue(request, traits);
  return std::make_unique<TextDialogue>(request, traits, std::move(options));
}

std::string refusal(const Request& request, const ServerTraits& traits) {
  const PromptInput& prompt = request.prompt;
  const bool chat = prompt.form == PromptInput::Form::kChat;
  if (!request.continuations.empty() && traits.scoring == Scoring::kNone) {
    return "likelihoods of given continuations: the server gives no log-probabilities";
  }
  if (!request.continuations.empty() && chat && traits.scoring == Scoring::kEcho &&
      traits.top == 0) {
    return "likelihoods of continuations of a chat: the server scores plain prompts alone";
  }
  if (prompt.form == PromptInput::Form::kRendered && !traits.special_text) {
    return "prompts with written-out template tokens: the server is not known to read them as such";
  }
  if (chat && !prompt.assistant_prefix.empty() && !traits.prefix) {
    return "answers that begin with given words: the server is not known to continue a message";
  }
  return "";
}

}  // namespace assay::engine
