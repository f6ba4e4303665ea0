// A model that takes requests while it runs: what the server and the load generators use. The
// built-in engine, an HTTP server and a scripted one all have this form.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/generator.h"

namespace assay::engine {

class PromptEncoder;

/// Names a request of one session; never used twice.
using RequestHandle = std::uint64_t;

/// What newly became visible of one answer.
struct Delta {
  std::string_view text;         // valid UTF-8, beyond what may still become a stop string
  std::span<const TokenId> ids;  // empty where a server does not tell them
  std::int64_t tokens = 0;       // how many tokens this is; a server may send several at once
  std::span<const TokenLogprob> logprobs;  // one per token where asked for
  std::int64_t at_ns = 0;                  // monotonic clock, when it was known here
};

/// Takes what becomes of one request. Called on the session's own thread, never from `submit`
/// itself: it must return soon, and may call `submit` and `cancel`.
class Listener {
 public:
  virtual ~Listener() = default;
  /// In order; together the deltas are the completion. Not called for scored continuations.
  virtual void on_delta(const Delta& delta) = 0;
  /// The last call, exactly once for each request that was not cancelled.
  virtual void on_done(Completion completion) = 0;
};

class Session {
 public:
  virtual ~Session() = default;  // drops what is in flight, and joins
  [[nodiscard]] virtual const ModelInfo& info() const = 0;
  /// The model's tokenizer and chat format, where they are known here; else null. Any thread.
  [[nodiscard]] virtual const PromptEncoder* encoder() const { return nullptr; }
  /// Queues a request. From any thread. The listener is kept until its last call has returned.
  virtual RequestHandle submit(Request request, std::shared_ptr<Listener> listener) = 0;
  /// Stops work on a request, whose listener hears nothing more once the session has seen this.
  /// From any thread; a handle that is done or unknown is ignored.
  virtual void cancel(RequestHandle handle) = 0;
  /// Calls `call` on the session's own thread, at `at_ns` of the monotonic clock or as soon after
  /// as that thread is free; never from within this function. What `call` submits is on its way
  /// without another thread's help, which costs a good part of sending it. From any thread. Returns
  /// false, and calls nothing, where the session's thread has a model's work to do and could not
  /// keep a time. What is not yet due when the session ends is dropped.
  virtual bool call_at(std::int64_t /*at_ns*/, std::function<void()> /*call*/) { return false; }
  /// Why the engine as a whole is lost, so that every request ends with that error; "" while it is
  /// not. From any thread.
  [[nodiscard]] virtual std::string lost() const { return {}; }
};

/// A session of the model that `options.model` names. Errors as `make_generator`.
std::unique_ptr<Session> make_session(const EngineOptions& options);

}  // namespace assay::engine
