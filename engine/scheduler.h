// Continuous batching: decides which tokens of which sequences go into each step.
//
// A step holds one token of every sequence that generates, and chunks of the prompts that still
// wait, up to a budget of rows. Prompts that share full pages with earlier ones start after those
// pages. Which sequences share a step never changes a result.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "engine/executor.h"
#include "engine/page_pool.h"

namespace assay::engine {

/// One sequence on its way: prompt ids, then what it generates.
struct Sequence {
  std::vector<TokenId> ids;  // prompt and generated
  std::int64_t prompt_tokens = 0;
  std::int64_t max_tokens = 0;   // that may be generated; 0: only logits of the prompt are wanted
  std::int64_t first_logit = 0;  // position of the first row whose logits are wanted
  std::uint64_t owner = 0;       // the caller's name of what this sequence belongs to

  std::int64_t computed = 0;  // tokens whose keys and values are in the cache
  std::int64_t cached = 0;    // of these, taken from the prefix cache
  std::vector<std::int32_t> pages;
  std::vector<PagePool::PageKey> keys;  // of the prompt's full pages
  bool failed = false;
  int overtaken = 0;  // by later ones that found room when this one did not
};

/// How the scheduler's caller takes part; all are called from `Scheduler::step`.
struct SequenceEvents {
  /// What is wanted after the token at `position`; what it points at lives until `on_result`.
  std::function<LogitQuery(const Sequence&, std::int64_t position)> query;
  /// The next token, or nothing when the sequence ends here (or, while positions of a prompt are
  /// scored, to go on to the next position). Positions come in order.
  std::function<std::optional<TokenId>(Sequence&, std::int64_t position, const LogitResult&)>
      on_result;
  std::function<void(Sequence&)> on_done;
};

/// Used by one thread. None of its functions may be called from an event.
class Scheduler {
 public:
  Scheduler(Executor& executor, PagePool& pool, std::int64_t max_sequences, bool prefix_cache,
            SequenceEvents events);

  /// Queues sequences behind those that wait. Of sequences that are added together, those that
  /// share a prefix begin together, longest expected work first.
  /// REQUIRES: each fits the pool when it has it alone.
  void add(std::vector<std::unique_ptr<Sequence>> sequences);
  /// Runs one step of what is queued; false when nothing was. Throws: as the executor and the
  /// events; only `clear` is of use after that.
  bool step();
  /// Forgets the sequences of `owner`; their pages are free for others at once.
  void drop(std::uint64_t owner);
  /// Forgets all sequences.
  void clear();

 private:
  bool admit(Sequence& sequence);
  void admit_waiting();
  Batch plan_step();
  void add_rows(Batch& batch, Sequence& sequence, std::int64_t rows);
  void take_results();
  void after_step();
  void publish_full_pages(Sequence& sequence);
  void release(Sequence& sequence);

  Executor& executor_;
  PagePool& pool_;
  std::int64_t max_sequences_;
  bool prefix_cache_;
  SequenceEvents events_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;
  std::set<PagePool::PageKey> pending_;  // pages of prompts that are being computed now
  struct Planned {
    Sequence* sequence;
    std::int64_t rows;
  };
  std::vector<Planned> planned_;  // of the step in progress
  struct LogitRow {
    Sequence* sequence;
    std::int64_t position;
  };
  std::vector<LogitRow> logit_rows_;
  std::vector<LogitResult> results_;  // one for each of them
};

}  // namespace assay::engine
