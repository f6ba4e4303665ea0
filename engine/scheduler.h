// Continuous batching: decides which tokens of which sequences go into each step.
//
// A step holds one token of every sequence that generates, and chunks of the prompts that still
// wait, up to a budget of rows. Prompts that share full pages with earlier ones start after those
// pages. Which sequences share a step never changes a result.
//
// Where the executor runs ahead, a step is started before the tokens of the one in front of it are
// known here: the device feeds itself. A sequence that then turns out to have ended was in one step
// too many, whose result for it is dropped. Its pages are free at once all the same: what writes to
// them next comes later on the device.
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
  std::int64_t started = 0;   // the same once the steps that were started are finished
  std::int64_t cached = 0;    // of those computed, taken from the prefix cache
  int awaited = -1;           // query of the step in flight that chooses the next token; or none
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
  /// Finishes one step of what is queued, and starts the next where the executor runs ahead; false
  /// when nothing was queued. Throws: as the executor and the events; only `clear` is of use after
  /// that.
  bool step();
  /// Forgets the sequences of `owner`; their pages are free for others at once.
  void drop(std::uint64_t owner);
  /// Forgets all sequences.
  void clear();

 private:
  /// Rows of a sequence in a step; null once the sequence has ended or was dropped.
  struct Planned {
    Sequence* sequence;
    std::int64_t rows;
  };
  struct LogitRow {
    Sequence* sequence;
    std::int64_t position;
  };
  /// A step that was started and not finished.
  struct Step {
    Batch batch;
    std::vector<Planned> planned;
    std::vector<LogitRow> logit_rows;  // one for each query
  };

  bool admit(Sequence& sequence);
  void admit_waiting();
  void start_step();
  void finish_step();
  void note_awaited();
  void plan_step(Step& step);
  void add_rows(Step& step, Sequence& sequence, std::int64_t rows);
  void take_results(const Step& step);
  void after_step(const Step& step);
  void publish_full_pages(Sequence& sequence);
  void release(Sequence& sequence);
  void forget_steps();

  Executor& executor_;
  PagePool& pool_;
  std::int64_t max_sequences_;
  bool prefix_cache_;
  SequenceEvents events_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;
  std::set<PagePool::PageKey> pending_;  // pages of prompts that are being computed now
  std::deque<Step> steps_;               // in flight: two where the executor runs ahead, else one
  std::vector<LogitResult> results_;
};

}  // namespace assay::engine
