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

namespace assay::engine {

/// What all requests of a generator share.
struct AnswerContext {
  const PromptEncoder* encoder = nullptr;
  std::span<const TokenId> stop_ids;
  std::int64_t context = 0;  // longest sequence
  bool truncate = false;     // drop the oldest ids of prompts beyond the context
};

class Answer {
 public:
  Answer(const Request& request, const AnswerContext& context);

  /// The sequences to run; none when the request failed at once. Call once.
  std::vector<std::unique_ptr<Sequence>> begin();
  /// As SequenceEvents has it.
  LogitQuery query(const Sequence& sequence, std::int64_t position) const;
  std::optional<TokenId> on_result(Sequence& sequence, std::int64_t position,
                                   const LogitResult& result);
  void on_done(const Sequence& sequence);
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
  void fail(const std::string& reason);
  std::optional<TokenId> generate(Sequence& sequence, const LogitResult& result);
  bool found_stop(std::size_t old_size);
  void score(const Unit& unit, std::int64_t position, const LogitResult& result);
  [[nodiscard]] const Unit& unit_of(const Sequence& sequence) const;

  const Request& request_;
  const AnswerContext context_;
  RandomKey key_;
  Completion completion_;
  StreamDecoder decoder_;
  std::vector<Unit> units_;
  std::size_t open_ = 0;
  std::int64_t left_ = 0;  // tokens that may still be generated
};

}  // namespace assay::engine
