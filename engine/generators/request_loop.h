// Requests in flight over one scheduler: what the built-in generator and session share. Requests
// come in at any time, and each step takes all of them a token further.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/generators/answer.h"
#include "engine/generators/local_model.h"
#include "engine/page_pool.h"
#include "engine/scheduler.h"
#include "engine/session.h"

namespace assay::engine {

struct IncomingRequest {
  RequestHandle handle = 0;  // not in flight already
  Request request;
  std::shared_ptr<Listener> listener;
  std::int64_t submitted_ns = 0;  // monotonic clock
};

/// Used by one thread. Listeners are called from `submit`, `step` and `fail`, and must not call
/// this object.
class RequestLoop {
 public:
  /// `model` must outlive the loop.
  explicit RequestLoop(LocalModel& model);

  /// Takes requests; those that are submitted together are put in the order that is done soonest.
  void submit(std::vector<IncomingRequest> requests);
  /// Runs one step; false when nothing is in flight. Throws: Error(kEnvironment) when the engine is
  /// lost, and what a listener throws; only `fail` and `clear` are of use after that.
  bool step();
  /// Forgets a request; its listener hears nothing more.
  void cancel(RequestHandle handle);
  /// Ends all requests in flight with this error.
  void fail(const std::string& reason);
  /// Forgets all requests.
  void clear();

 private:
  struct InFlight {
    InFlight(IncomingRequest&& incoming, const AnswerContext& context)
        : answer(std::move(incoming.request), context, incoming.submitted_ns),
          listener(std::move(incoming.listener)) {}
    Answer answer;
    std::shared_ptr<Listener> listener;
  };
  std::optional<TokenId> on_result(Sequence& sequence, std::int64_t position,
                                   const LogitResult& result);
  void on_done(Sequence& sequence);

  AnswerContext context_;
  PagePool pool_;
  Scheduler scheduler_;
  std::unordered_map<RequestHandle, InFlight> in_flight_;
};

}  // namespace assay::engine
