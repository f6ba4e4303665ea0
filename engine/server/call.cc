#include "engine/server/call.h"

#include <utility>

namespace assay::engine {
namespace {

/// What may wait for a client that does not read; some thousand tokens.
constexpr std::size_t kMaxWaitingBytes = std::size_t{1} << 20;

std::size_t bytes_of(const Delta& delta) {
  std::size_t bytes = sizeof(AnswerPart) + delta.text.size() + delta.ids.size_bytes();
  for (const TokenLogprob& token : delta.logprobs) {
    bytes += sizeof token + token.top.size() * sizeof token.top.front();
  }
  return bytes;
}

}  // namespace

class Call::ChoiceListener : public Listener {
 public:
  ChoiceListener(std::shared_ptr<Call> call, std::size_t choice)
      : call_(std::move(call)), choice_(choice) {}

  void on_delta(const Delta& delta) override {
    if (!call_->with_deltas_) return;
    call_->put({.choice = choice_,
                .text = std::string(delta.text),
                .ids = {delta.ids.begin(), delta.ids.end()},
                .logprobs = {delta.logprobs.begin(), delta.logprobs.end()},
                .at_ns = delta.at_ns},
               bytes_of(delta));
  }
  void on_done(Completion completion) override {
    call_->put({.choice = choice_, .end = std::move(completion)}, 0);
  }

 private:
  std::shared_ptr<Call> call_;
  std::size_t choice_;
};

Call::Call(Session& session, bool with_deltas, std::function<void()> wake)
    : session_(session), with_deltas_(with_deltas), wake_(std::move(wake)) {}

void Call::start(std::vector<Request> requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    handles_.push_back(session_.submit(std::move(requests[i]),
                                       std::make_shared<ChoiceListener>(shared_from_this(), i)));
  }
}

void Call::put(AnswerPart piece, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!wake_ || overflowed_) return;
  bytes_ += bytes;
  if (piece.end) ++ended_;
  overflowed_ = bytes_ > kMaxWaitingBytes;
  pieces_.push_back(std::move(piece));
  if (std::exchange(signalled_, true)) return;
  wake_();
}

bool Call::take(std::vector<AnswerPart>& pieces) {
  pieces.clear();
  const std::lock_guard lock(mutex_);
  pieces.swap(pieces_);
  bytes_ = 0;
  signalled_ = false;
  return !pieces.empty();
}

bool Call::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflowed_;
}

void Call::close() {
  bool all_ended = false;
  {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;
    wake_ = nullptr;
    all_ended = ended_ == handles_.size();
  }
  if (all_ended) return;
  for (const RequestHandle handle : handles_) session_.cancel(handle);
}

}  // namespace assay::engine
