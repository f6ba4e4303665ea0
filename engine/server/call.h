// The answers to one HTTP request while they are made: pieces come in on the session's thread and
// are taken out on the server's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/session.h"

namespace assay::engine {

/// Part of one answer, or its end.
struct AnswerPart {
  std::size_t choice = 0;
  std::string text;
  std::vector<TokenId> ids;
  std::vector<TokenLogprob> logprobs;
  std::int64_t at_ns = 0;
  std::optional<Completion> end;  // then nothing else is set but `choice`
};

/// All functions are for the server's thread, but that pieces come from the session's.
class Call : public std::enable_shared_from_this<Call> {
 public:
  /// `wake` is called on the session's thread when there is something to take and the last such
  /// call has been answered by `take`. `session` must outlive the call.
  Call(Session& session, bool with_deltas, std::function<void()> wake);

  /// Submits one request for each choice.
  void start(std::vector<Request> requests);
  /// Moves what came in to `pieces`; false when there is nothing.
  bool take(std::vector<AnswerPart>& pieces);
  /// Nobody took pieces until they were too many: the client does not read.
  [[nodiscard]] bool overflowed() const;
  /// Stops what is not done; `wake` is not called any more. Harmless when repeated.
  void close();

 private:
  class ChoiceListener;
  void put(AnswerPart piece, std::size_t bytes);

  Session& session_;
  bool with_deltas_;
  std::vector<RequestHandle> handles_;
  mutable std::mutex mutex_;  // guards what follows
  std::function<void()> wake_;
  std::vector<AnswerPart> pieces_;
  std::size_t bytes_ = 0;  // of the pieces, about
  std::size_t ended_ = 0;
  bool signalled_ = false;
  bool overflowed_ = false;
};

}  // namespace assay::engine
