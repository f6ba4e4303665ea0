// A model without arithmetic whose tokens come at given times: what a server or a load generator
// adds can then be told from what the model takes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/prompt_encoder.h"
#include "engine/session.h"
#include "tests/support/scripted_executor.h"

namespace assay::test {

struct SessionPace {
  std::chrono::nanoseconds first{0};  // from a request to its first token
  std::chrono::nanoseconds each{0};   // between tokens
  /// Text of token `index`, made when it is emitted.
  std::function<std::string(std::int64_t index)> text = [](std::int64_t) { return "x"; };
};

/// Answers with `max_tokens` tokens of id 'x', or with an error for a prompt that begins with
/// "fail".
class ScriptedSession : public engine::Session {
 public:
  explicit ScriptedSession(SessionPace pace)
      : pace_(std::move(pace)),
        encoder_(tokenizer_, {.format = engine::ChatFormat::kPlain, .reason = "test"}, ""),
        thread_([this] { work(); }) {
    info_.name = "scripted";
    info_.context = 1 << 20;
  }
  ~ScriptedSession() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  ScriptedSession(const ScriptedSession&) = delete;
  ScriptedSession& operator=(const ScriptedSession&) = delete;
  ScriptedSession(ScriptedSession&&) = delete;
  ScriptedSession& operator=(ScriptedSession&&) = delete;

  const engine::ModelInfo& info() const override { return info_; }
  const engine::PromptEncoder* encoder() const override { return &encoder_; }

  engine::RequestHandle submit(engine::Request request,
                               std::shared_ptr<engine::Listener> listener) override {
    const std::lock_guard lock(mutex_);
    const engine::RequestHandle handle = ++last_;
    Stream stream{.request = std::move(request), .listener = std::move(listener)};
    stream.completion.prompt_ids = stream.request.prompt.ids;
    due_.push({monotonic_ns() + pace_.first.count(), handle});
    streams_.emplace(handle, std::move(stream));
    wake_.notify_one();
    return handle;
  }
  void cancel(engine::RequestHandle handle) override {
    const std::lock_guard lock(mutex_);
    cancelled_ += streams_.erase(handle);
    changed_.notify_all();
  }
  std::string lost() const override {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

  /// From now on the engine counts as lost.
  void lose(const std::string& reason) {
    std::vector<Stream> dropped;
    {
      const std::lock_guard lock(mutex_);
      lost_ = reason;
      for (auto& [handle, stream] : streams_) dropped.push_back(std::move(stream));
      streams_.clear();
    }
    for (Stream& stream : dropped) {
      if (!stream.listener) continue;  // its token is on the way
      stream.completion.error = reason;
      stream.completion.finish_reason = engine::FinishReason::kError;
      stream.listener->on_done(std::move(stream.completion));
    }
  }
  /// Waits until so many requests were cancelled; false when that takes ten seconds.
  bool wait_for_cancelled(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return cancelled_ >= count; });
  }
  std::size_t in_flight() const {
    const std::lock_guard lock(mutex_);
    return streams_.size();
  }

 private:
  struct Stream {
    engine::Request request;
    std::shared_ptr<engine::Listener> listener;
    engine::Completion completion;
  };
  using Due = std::pair<std::int64_t, engine::RequestHandle>;

  /// The next token of a stream; true when it was the last.
  bool emit(Stream& stream, std::int64_t due_ns) {
    engine::Completion& out = stream.completion;
    if (stream.request.prompt.ids.size() >= 4 && stream.request.prompt.ids[0] == 'f' &&
        stream.request.prompt.ids[1] == 'a' && stream.request.prompt.ids[2] == 'i') {
      out.error = "scripted failure";
      return true;
    }
    out.finish_reason = engine::FinishReason::kLength;
    if (stream.request.sampling.max_tokens == 0) return true;
    const std::string text = pace_.text(static_cast<std::int64_t>(out.ids.size()));
    out.ids.push_back('x');
    out.text += text;
    out.times.last_ns = due_ns;
    if (out.ids.size() == 1) out.times.first_ns = due_ns;
    stream.listener->on_delta({.text = text,
                               .ids = std::span(out.ids).last(1),
                               .tokens = 1,
                               .logprobs = {},
                               .at_ns = due_ns});
    return static_cast<std::int64_t>(out.ids.size()) >= stream.request.sampling.max_tokens;
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (due_.empty()) {
        wake_.wait(lock);
        continue;
      }
      const auto [at, handle] = due_.top();
      const std::int64_t early = at - monotonic_ns();
      if (early > 0) {
        wake_.wait_for(lock, std::chrono::nanoseconds(early));
        continue;
      }
      due_.pop();
      const auto found = streams_.find(handle);
      if (found == streams_.end()) continue;
      Stream stream = std::move(found->second);
      lock.unlock();  // a listener may call the session
      const bool ended = emit(stream, at);
      if (ended) stream.listener->on_done(std::move(stream.completion));
      lock.lock();
      const auto place = streams_.find(handle);
      if (ended) {
        streams_.erase(handle);
      } else if (place != streams_.end()) {
        place->second = std::move(stream);
        due_.push({at + pace_.each.count(), handle});
      }
    }
  }

  SessionPace pace_;
  engine::ModelInfo info_;
  ByteTokenizer tokenizer_;
  engine::PromptEncoder encoder_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::condition_variable changed_;
  std::map<engine::RequestHandle, Stream> streams_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  engine::RequestHandle last_ = 0;
  std::size_t cancelled_ = 0;
  std::string lost_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace assay::test
