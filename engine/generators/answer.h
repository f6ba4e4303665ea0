// One request on its way through the built-in engine: its sequences, what came out, its completion.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.h"
#include "engine/completion.h"
#include "engine/prompt_encoder.h"
#include "engine/scheduler.h"
#include "engine/session.h"

namespace assay::engine {

/// What all requests of a model share.
struct AnswerContext {
  const PromptEncoder* encoder = nullptr;
  std::span<const TokenId> stop_ids;
  std::int64_t context = 0;  // longest sequence
  bool truncate = false;     // drop the oldest ids of prompts beyond the context
  bool logit_bias = false;   // the executor heeds it
};

/// Stays where it is: queries point into it.
class Answer {
 public:
  Answer(Request request, const AnswerContext& context, std::int64_t submitted_ns);
  ~Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  Answer(Answer&&) = delete;
  Answer& operator=(Answer&&) = delete;

  /// The sequences to run; none when the request failed at once. Call once.
  std::vector<std::unique_ptr<Sequence>> begin();
  /// As SequenceEvents has it.
  LogitQuery query(const Sequence& sequence, std::int64_t position) const;
  std::optional<TokenId> on_result(Sequence& sequence, std::int64_t position,
                                   const LogitResult& result);
  void on_done(const Sequence& sequence);
  /// What became visible since the last call; views live until anything else is called.
  Delta next_delta();
  /// The engine is lost: the completion is this error.
  void fail(const std::string& reason);
  /// All sequences are done; `take` then gives the completion.
  [[nodiscard]] bool done() const { return open_ == 0; }
  Completion take();

 private:
  /// Continuations that share one sequence: context and all of the continuation but its last token.
  struct Unit {
    std::vector<TokenId> ids;
    std::int64_t context_tokens = 0;
    std::vector<std::size_t> members;  // indices into completion_.continuations
    // [positions from the context's last token]: the members' next ids, of those that have one.
    std::vector<std::vector<TokenId>> targets;
  };

  void prepare_text(std::vector<std::unique_ptr<Sequence>>& out);
  void prepare_continuations(std::vector<std::unique_ptr<Sequence>>& out);
  std::vector<TokenId> fitted(std::vector<TokenId> ids, std::int64_t room);
  void check_logit_bias() const;
  void end(FinishReason reason);
  std::optional<TokenId> generate(Sequence& sequence, const LogitResult& result);
  bool found_stop(std::size_t old_size);
  [[nodiscard]] std::size_t visible_text() const;
  void score(const Unit& unit, std::int64_t position, const LogitResult& result);
  [[nodiscard]] const Unit& unit_of(const Sequence& sequence) const;

  const Request request_;
  const AnswerContext context_;
  RandomKey key_;
  Completion completion_;
  StreamDecoder decoder_;
  std::vector<Unit> units_;
  std::size_t open_ = 0;
  std::int64_t left_ = 0;       // tokens that may still be generated
  bool ended_ = false;          // the last token is there
  std::int64_t token_ns_ = 0;   // when the last one was known
  std::size_t given_text_ = 0;  // of these `next_delta` told
  std::size_t given_ids_ = 0;
};

}  // namespace assay::engine
