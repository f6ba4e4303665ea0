#include "engine/generators/answer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "base/text.h"

namespace assay::engine {
Answer::Answer(Request request, const AnswerContext& context, std::int64_t submitted_ns)
    : request_(std::move(request)),
      context_(context),
      key_{
          .seed = request_.sampling.seed, .request = fnv1a(request_.id), .repeat = request_.repeat},
      decoder_(context.encoder->tokenizer()) {
  completion_.times.scheduled_ns = submitted_ns;
}

void Answer::fail(const std::string& reason) {
  completion_.finish_reason = FinishReason::kError;
  completion_.error = reason;
}

std::vector<TokenId> Answer::fitted(std::vector<TokenId> ids, std::int64_t room) {
  const auto size = static_cast<std::int64_t>(ids.size());
  const std::int64_t most = context_.context - room;
  if (size <= most) return ids;
  if (!context_.truncate || most < 2) {
    throw_input(
        "the prompt has {} tokens and the context holds {}; a longer context or "
        "\"long_prompts\": \"truncate\" would do",
        size, context_.context);
  }
  const bool bos = context_.encoder->tokenizer().bos() == ids.front();
  completion_.truncated_prompt_tokens = size - most;
  ids.erase(ids.begin() + (bos ? 1 : 0), ids.begin() + (bos ? 1 : 0) + (size - most));
  return ids;
}

std::vector<std::unique_ptr<Sequence>> Answer::begin() {
  std::vector<std::unique_ptr<Sequence>> out;
  completion_.times.sent_ns = monotonic_ns();
  try {
    if (request_.continuations.empty()) {
      prepare_text(out);
    } else {
      prepare_continuations(out);
    }
  } catch (const Error& error) {
    fail(error.what());
    out.clear();
  }
  open_ = out.size();
  return out;
}

void Answer::prepare_text(std::vector<std::unique_ptr<Sequence>>& out) {
  std::vector<TokenId> ids = context_.encoder->encode(request_.prompt);
  if (ids.empty()) throw_input("the prompt has no tokens");
  const bool scores_prompt = request_.prompt_logprobs && request_.logprobs >= 0;
  const std::int64_t wanted =
      std::max<std::int64_t>(scores_prompt ? 0 : 1, request_.sampling.max_tokens);
  check_logit_bias();
  // A long limit must not push the prompt out: at least half of the context stays the prompt's.
  const std::int64_t room = context_.truncate ? context_.context / 2 : 1;
  ids = fitted(std::move(ids), std::min(wanted, room));
  const auto size = static_cast<std::int64_t>(ids.size());
  left_ = std::min(wanted, context_.context - size);
  completion_.prompt_ids = ids;
  auto sequence = std::make_unique<Sequence>();
  sequence->prompt_tokens = size;
  sequence->max_tokens = left_;
  sequence->first_logit = scores_prompt ? 0 : size - 1;
  sequence->ids = std::move(ids);
  out.push_back(std::move(sequence));
}

void Answer::check_logit_bias() const {
  if (request_.sampling.logit_bias.empty()) return;
  if (!context_.logit_bias) throw_input("logit_bias: this device does not take it; the CPU does");
  for (const auto& [id, bias] : request_.sampling.logit_bias) {
    (void)context_.encoder->tokenizer().token_bytes(id);
    if (!std::isfinite(bias)) throw_input("logit_bias of token {}: is not a finite number", id);
  }
}

void Answer::prepare_continuations(std::vector<std::unique_ptr<Sequence>>& out) {
  for (std::size_t i = 0; i < request_.continuations.size(); ++i) {
    auto parts = context_.encoder->encode_continuation(request_.prompt, request_.continuations[i]);
    ContinuationScore score;
    score.ids = std::move(parts.continuation);
    score.greedy = true;
    const auto tail = static_cast<std::int64_t>(score.ids.size());
    Unit unit;
    unit.ids = fitted(std::move(parts.context), tail - 1);
    unit.context_tokens = static_cast<std::int64_t>(unit.ids.size());
    if (unit.context_tokens == 0) throw_input("nothing stands before the continuation");
    if (i == 0) completion_.prompt_ids = unit.ids;
    unit.ids.insert(unit.ids.end(), score.ids.begin(), score.ids.end() - 1);
    completion_.continuations.push_back(std::move(score));
    const auto same = std::find_if(units_.begin(), units_.end(), [&](const Unit& other) {
      return other.context_tokens == unit.context_tokens && other.ids == unit.ids;
    });
    if (same != units_.end()) {
      same->members.push_back(i);
      continue;
    }
    unit.members.push_back(i);
    units_.push_back(std::move(unit));
  }
  for (Unit& unit : units_) {
    for (const std::size_t member : unit.members) {
      const std::vector<TokenId>& ids = completion_.continuations[member].ids;
      unit.targets.resize(std::max(unit.targets.size(), ids.size()));
      for (std::size_t i = 0; i < ids.size(); ++i) unit.targets[i].push_back(ids[i]);
    }
    auto sequence = std::make_unique<Sequence>();
    sequence->ids = unit.ids;
    sequence->prompt_tokens = static_cast<std::int64_t>(unit.ids.size());
    sequence->first_logit = unit.context_tokens - 1;
    out.push_back(std::move(sequence));
  }
}

const Answer::Unit& Answer::unit_of(const Sequence& sequence) const {
  return *std::find_if(units_.begin(), units_.end(), [&](const Unit& u) {
    return u.context_tokens - 1 == sequence.first_logit && u.ids == sequence.ids;
  });
}

LogitQuery Answer::query(const Sequence& sequence, std::int64_t position) const {
  LogitQuery query{.key = key_, .position = position, .top = request_.logprobs};
  const std::size_t next = static_cast<std::size_t>(position) + 1;
  if (units_.empty() && next < completion_.prompt_ids.size()) {
    query.targets = std::span(completion_.prompt_ids).subspan(next, 1);
  } else if (units_.empty()) {
    if (left_ > 0) query.sampling = &request_.sampling;
  } else {
    const Unit& unit = unit_of(sequence);
    query.targets = unit.targets[static_cast<std::size_t>(position - (unit.context_tokens - 1))];
  }
  return query;
}

std::optional<TokenId> Answer::on_result(Sequence& sequence, std::int64_t position,
                                         const LogitResult& result) {
  if (!result.finite) {
    fail(fmt::format("logits are not finite after token {}", position));
    sequence.failed = true;
    return std::nullopt;
  }
  if (units_.empty()) {
    if (position + 1 >= sequence.prompt_tokens) return generate(sequence, result);
    completion_.prompt_logprobs.logprobs.push_back(result.target_logprobs.front());
    completion_.prompt_logprobs.top.push_back(result.logprob.top);
    return std::nullopt;
  }
  if (completion_.times.first_ns == 0) completion_.times.first_ns = monotonic_ns();
  score(unit_of(sequence), position, result);
  return std::nullopt;
}

std::optional<TokenId> Answer::generate(Sequence& sequence, const LogitResult& result) {
  completion_.cached_prompt_tokens = sequence.cached;
  if (left_ == 0) {  // the prompt's log-probabilities were all that was wanted
    end(FinishReason::kLength);
    return std::nullopt;
  }
  token_ns_ = monotonic_ns();
  if (completion_.ids.empty()) completion_.times.first_ns = token_ns_;
  const TokenId id = result.chosen;
  completion_.ids.push_back(id);
  if (request_.logprobs >= 0) completion_.logprobs.push_back(result.logprob);
  --left_;
  const bool is_stop =
      std::find(context_.stop_ids.begin(), context_.stop_ids.end(), id) != context_.stop_ids.end();
  if (is_stop && !request_.sampling.ignore_eos) {
    end(FinishReason::kEos);
    return std::nullopt;
  }
  const std::size_t old_size = completion_.text.size();
  completion_.text += decoder_.push(id);
  if (found_stop(old_size)) {
    end(FinishReason::kStop);
    return std::nullopt;
  }
  if (left_ == 0) {
    end(FinishReason::kLength);
    return std::nullopt;
  }
  return id;
}

/// Nothing is generated beyond this; bytes held back until now may complete a stop string.
void Answer::end(FinishReason reason) {
  ended_ = true;
  completion_.finish_reason = reason;
  if (reason == FinishReason::kStop) return;
  const std::size_t old_size = completion_.text.size();
  completion_.text += decoder_.finish();
  if (found_stop(old_size)) completion_.finish_reason = FinishReason::kStop;
}

/// Cuts the text at the first stop string that ends beyond `old_size`.
bool Answer::found_stop(std::size_t old_size) {
  std::size_t first = std::string::npos;
  for (const std::string& stop : request_.sampling.stop) {
    if (stop.empty()) continue;
    const std::size_t from = old_size >= stop.size() ? old_size - stop.size() + 1 : 0;
    const std::size_t found = completion_.text.find(stop, from);
    if (found >= first) continue;
    first = found;
    completion_.stop = stop;
  }
  if (first == std::string::npos) return false;
  completion_.text.resize(first);
  return true;
}

void Answer::score(const Unit& unit, std::int64_t position, const LogitResult& result) {
  const auto index = static_cast<std::size_t>(position - (unit.context_tokens - 1));
  std::size_t target = 0;
  for (const std::size_t member : unit.members) {
    ContinuationScore& score = completion_.continuations[member];
    if (index >= score.ids.size()) continue;
    const double logprob = result.target_logprobs[target++];
    score.logprobs.push_back(static_cast<float>(logprob));
    score.logprob += logprob;
    score.greedy = score.greedy && result.argmax == score.ids[index];
  }
}

void Answer::on_done(const Sequence& /*sequence*/) {
  --open_;
  if (open_ > 0) return;
  completion_.times.last_ns = monotonic_ns();
  if (!completion_.error.empty()) return;
  if (!units_.empty()) completion_.finish_reason = FinishReason::kScored;
}

/// Bytes of the text that no stop string can take back any more.
std::size_t Answer::visible_text() const {
  const std::string_view text = completion_.text;
  if (ended_) return text.size();
  std::size_t held = 0;
  for (const std::string& stop : request_.sampling.stop) {
    if (stop.empty()) continue;
    const std::string_view whole = stop;
    for (std::size_t size = std::min(stop.size() - 1, text.size()); size > held; --size) {
      if (text.ends_with(whole.substr(0, size))) held = size;
    }
  }
  return std::max(given_text_, utf8_prefix(text, text.size() - held));
}

Delta Answer::next_delta() {
  const std::size_t text_end = visible_text();
  const std::size_t ids = completion_.ids.size() - given_ids_;
  Delta delta{
      .text = std::string_view(completion_.text).substr(given_text_, text_end - given_text_),
      .ids = std::span(completion_.ids).last(ids),
      .tokens = static_cast<std::int64_t>(ids),
      .at_ns = token_ns_};
  if (request_.logprobs >= 0) delta.logprobs = std::span(completion_.logprobs).last(ids);
  given_text_ = text_end;
  given_ids_ = completion_.ids.size();
  return delta;
}

Completion Answer::take() {
  if (!completion_.error.empty()) {
    completion_.finish_reason = FinishReason::kError;
    completion_.continuations.clear();
  }
  return std::move(completion_);
}

}  // namespace assay::engine
