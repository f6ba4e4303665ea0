#include "engine/scheduler.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.h"

namespace assay::engine {
namespace {

/// Tokens that a sequence may come to at most.
std::int64_t work(const Sequence& sequence) { return sequence.prompt_tokens + sequence.max_tokens; }

/// Of sequences known together: those that share their first page stand together, so that the
/// prefix is computed once and used while it is there, and what may take longest begins first, so
/// that no long one is left alone at the end.
void order(std::vector<std::unique_ptr<Sequence>>& sequences) {
  std::map<PagePool::PageKey, std::int64_t> longest;
  const auto group = [](const Sequence& sequence) {
    return sequence.keys.empty() ? PagePool::PageKey() : sequence.keys.front();
  };
  for (const auto& sequence : sequences) {
    std::int64_t& most = longest[group(*sequence)];
    most = std::max(most, work(*sequence));
  }
  const auto rank = [&](const std::unique_ptr<Sequence>& sequence) {
    const PagePool::PageKey key = group(*sequence);
    return std::tuple(-longest.at(key), key, -work(*sequence));
  };
  std::stable_sort(sequences.begin(), sequences.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

}  // namespace

Scheduler::Scheduler(Executor& executor, PagePool& pool, std::int64_t max_sequences,
                     bool prefix_cache, SequenceEvents events)
    : executor_(executor),
      pool_(pool),
      max_sequences_(std::min(max_sequences, executor.max_rows())),
      prefix_cache_(prefix_cache),
      events_(std::move(events)) {}

void Scheduler::add(std::vector<std::unique_ptr<Sequence>> sequences) {
  for (auto& sequence : sequences) {
    if (prefix_cache_) {
      PagePool::PageKey key;
      for (std::int64_t end = kPageTokens; end < sequence->prompt_tokens; end += kPageTokens) {
        key = PagePool::page_key(key, sequence->ids.data() + end - kPageTokens);
        sequence->keys.push_back(key);
      }
    }
  }
  order(sequences);
  for (auto& sequence : sequences) waiting_.push_back(std::move(sequence));
}

bool Scheduler::step() {
  if (waiting_.empty() && running_.empty()) {
    forget_steps();  // what only sequences that have ended were in
    return false;
  }
  if (steps_.empty()) {
    start_step();
    ASSAY_CHECK(!steps_.empty(), "a sequence that fits the cache was never admitted");
  }
  if (executor_.runs_ahead()) start_step();
  finish_step();
  return true;
}

/// The next step, if there is anything to do in it.
void Scheduler::start_step() {
  admit_waiting();
  note_awaited();
  Step step;
  plan_step(step);
  if (step.planned.empty()) return;
  steps_.push_back(std::move(step));
  executor_.start(steps_.back().batch);
  for (const Planned& planned : steps_.back().planned) planned.sequence->started += planned.rows;
}

void Scheduler::finish_step() {
  results_.assign(steps_.front().batch.queries.size(), {});
  executor_.finish(results_);
  const Step step = std::move(steps_.front());
  steps_.pop_front();
  take_results(step);
  after_step(step);
}

void Scheduler::forget_steps() {
  executor_.forget();
  steps_.clear();
}

void Scheduler::drop(std::uint64_t owner) {
  const auto is_owned = [&](const auto& sequence) { return sequence->owner == owner; };
  for (auto& sequence : running_) {
    if (is_owned(sequence)) release(*sequence);
  }
  std::erase_if(running_, is_owned);
  std::erase_if(waiting_, is_owned);
}

void Scheduler::clear() {
  for (auto& sequence : running_) release(*sequence);
  running_.clear();
  waiting_.clear();
  pending_.clear();
  forget_steps();
}

void Scheduler::take_results(const Step& step) {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const LogitRow& row = step.logit_rows[i];
    if (row.sequence == nullptr || row.sequence->failed) continue;
    Sequence& sequence = *row.sequence;
    const auto next = events_.on_result(sequence, row.position, results_[i]);
    const bool generates = row.position + 1 >= sequence.prompt_tokens;
    if (next) {
      sequence.ids.push_back(*next);
    } else if (generates) {
      sequence.max_tokens = 0;
    }
  }
}

bool Scheduler::admit(Sequence& sequence) {
  // A page that another prompt is computing right now will be there soon: waiting for it is cheaper
  // than computing it twice.
  std::size_t shared = 0;
  while (shared < sequence.keys.size()) {
    const auto page = pool_.share(sequence.keys[shared]);
    if (!page) break;
    sequence.pages.push_back(*page);
    ++shared;
  }
  const std::int64_t tokens = sequence.prompt_tokens + sequence.max_tokens;
  const std::int64_t needed =
      (tokens + kPageTokens - 1) / kPageTokens - static_cast<std::int64_t>(shared);
  const bool soon = shared < sequence.keys.size() && pending_.contains(sequence.keys[shared]);
  // Only positions before the first wanted logits may come from the cache.
  const bool too_far = static_cast<std::int64_t>(shared) * kPageTokens > sequence.first_logit;
  if (soon || needed > pool_.available()) {
    for (const std::int32_t page : sequence.pages) pool_.release(page);
    sequence.pages.clear();
    return false;
  }
  sequence.computed = static_cast<std::int64_t>(shared) * kPageTokens;
  if (too_far) sequence.computed = sequence.first_logit / kPageTokens * kPageTokens;
  sequence.cached = sequence.started = sequence.computed;
  while (static_cast<std::int64_t>(sequence.pages.size()) * kPageTokens > sequence.computed) {
    pool_.release(sequence.pages.back());
    sequence.pages.pop_back();
  }
  while (static_cast<std::int64_t>(sequence.pages.size()) * kPageTokens < tokens) {
    const auto page = pool_.allocate();
    if (!page) {
      for (const std::int32_t held : sequence.pages) pool_.release(held);
      sequence.pages.clear();
      sequence.computed = sequence.started = sequence.cached = 0;
      return false;
    }
    sequence.pages.push_back(*page);
  }
  for (std::size_t i = static_cast<std::size_t>(sequence.computed / kPageTokens);
       i < sequence.keys.size(); ++i) {
    pending_.insert(sequence.keys[i]);
  }
  return true;
}

void Scheduler::admit_waiting() {
  constexpr std::size_t kLookAhead = 64;  // past sequences that wait for pages
  constexpr int kMostOvertakings = 1024;  // then room is left to gather for the one that waits
  for (std::size_t i = 0; i < std::min(waiting_.size(), kLookAhead);) {
    if (static_cast<std::int64_t>(running_.size()) >= max_sequences_) return;
    if (!admit(*waiting_[i])) {
      if (waiting_[i]->overtaken >= kMostOvertakings) return;
      ++i;
      continue;
    }
    running_.push_back(std::move(waiting_[i]));
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    for (std::size_t before = 0; before < i; ++before) ++waiting_[before]->overtaken;
  }
}

/// Which query of the step in flight chooses a sequence's next token, where the sequence goes on
/// after it as far as its length is concerned.
void Scheduler::note_awaited() {
  for (auto& sequence : running_) sequence->awaited = -1;
  if (steps_.empty()) return;
  const std::vector<LogitRow>& rows = steps_.back().logit_rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].sequence == nullptr) continue;
    Sequence& sequence = *rows[i].sequence;
    const auto length = static_cast<std::int64_t>(sequence.ids.size());
    const bool last = length + 1 >= sequence.prompt_tokens + sequence.max_tokens;
    if (rows[i].position + 1 == length && !last) sequence.awaited = static_cast<int>(i);
  }
}

void Scheduler::plan_step(Step& step) {
  std::int64_t budget = executor_.max_rows();
  // Generating sequences first, so that prompts never hold them up.
  for (const bool generating : {true, false}) {
    for (auto& sequence : running_) {
      const std::int64_t length =
          static_cast<std::int64_t>(sequence->ids.size()) + (sequence->awaited >= 0 ? 1 : 0);
      const bool generates = sequence->started >= sequence->prompt_tokens;
      const std::int64_t rows = std::min(length - sequence->started, budget);
      if (generates != generating || rows == 0) continue;
      add_rows(step, *sequence, rows);
      budget -= rows;
    }
  }
}

void Scheduler::add_rows(Step& step, Sequence& sequence, std::int64_t rows) {
  Batch& batch = step.batch;
  const auto first_row = static_cast<std::int64_t>(batch.ids.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t position = sequence.started + r;
    const auto index = static_cast<std::size_t>(position);
    const bool known = index < sequence.ids.size();
    if (!known) {
      batch.chosen.push_back({.row = static_cast<std::int32_t>(first_row + r),
                              .query = static_cast<std::int32_t>(sequence.awaited)});
    }
    batch.ids.push_back(known ? sequence.ids[index] : 0);
    batch.positions.push_back(position);
    if (position >= sequence.first_logit) {
      batch.queries.push_back(events_.query(sequence, position));
      batch.queries.back().row = first_row + r;
      step.logit_rows.push_back({&sequence, position});
    }
  }
  batch.sequences.push_back({.first_row = first_row,
                             .rows = rows,
                             .first_position = sequence.started,
                             .pages = sequence.pages});
  step.planned.push_back({&sequence, rows});
}

void Scheduler::publish_full_pages(Sequence& sequence) {
  const std::size_t full =
      std::min(sequence.keys.size(), static_cast<std::size_t>(sequence.computed / kPageTokens));
  for (std::size_t i = static_cast<std::size_t>(sequence.cached / kPageTokens); i < full; ++i) {
    pool_.publish(sequence.pages[i], sequence.keys[i]);
    pending_.erase(sequence.keys[i]);
  }
}

void Scheduler::after_step(const Step& step) {
  for (const Planned& planned : step.planned) {
    if (planned.sequence == nullptr) continue;
    planned.sequence->computed += planned.rows;
    publish_full_pages(*planned.sequence);
  }
  for (std::size_t i = 0; i < running_.size();) {
    Sequence& sequence = *running_[i];
    const auto length = static_cast<std::int64_t>(sequence.ids.size());
    const bool prompt_read = sequence.computed >= sequence.prompt_tokens;
    const bool ended = sequence.failed ||
                       (prompt_read && (sequence.max_tokens == 0 || sequence.computed >= length));
    if (!ended) {
      ++i;
      continue;
    }
    release(sequence);
    events_.on_done(sequence);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

/// Before a sequence goes: no step in flight may answer to it.
void Scheduler::release(Sequence& sequence) {
  for (Step& step : steps_) {
    for (Planned& planned : step.planned) {
      if (planned.sequence == &sequence) planned.sequence = nullptr;
    }
    for (LogitRow& row : step.logit_rows) {
      if (row.sequence == &sequence) row.sequence = nullptr;
    }
  }
  for (const PagePool::PageKey& key : sequence.keys) pending_.erase(key);
  for (const std::int32_t page : sequence.pages) pool_.release(page);
  sequence.pages.clear();
}

}  // namespace assay::engine
