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
  if (waiting_.empty() && running_.empty()) return false;
  admit_waiting();
  ASSAY_CHECK(!running_.empty(), "a sequence that fits the cache was never admitted");
  const Batch batch = plan_step();
  results_.assign(batch.queries.size(), {});
  executor_.run(batch, results_);
  take_results();
  after_step();
  return true;
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
}

void Scheduler::take_results() {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const LogitRow& row = logit_rows_[i];
    Sequence& sequence = *row.sequence;
    if (sequence.failed) continue;
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
  sequence.cached = sequence.computed;
  while (static_cast<std::int64_t>(sequence.pages.size()) * kPageTokens > sequence.computed) {
    pool_.release(sequence.pages.back());
    sequence.pages.pop_back();
  }
  while (static_cast<std::int64_t>(sequence.pages.size()) * kPageTokens < tokens) {
    const auto page = pool_.allocate();
    if (!page) {
      for (const std::int32_t held : sequence.pages) pool_.release(held);
      sequence.pages.clear();
      sequence.computed = sequence.cached = 0;
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

Batch Scheduler::plan_step() {
  Batch batch;
  planned_.clear();
  logit_rows_.clear();
  std::int64_t budget = executor_.max_rows();
  // Generating sequences first, so that prompts never hold them up.
  for (const bool generating : {true, false}) {
    for (auto& sequence : running_) {
      const auto length = static_cast<std::int64_t>(sequence->ids.size());
      const bool generates = sequence->computed >= sequence->prompt_tokens;
      if (generates != generating || budget == 0) continue;
      const std::int64_t rows = std::min(length - sequence->computed, budget);
      add_rows(batch, *sequence, rows);
      budget -= rows;
    }
  }
  return batch;
}

void Scheduler::add_rows(Batch& batch, Sequence& sequence, std::int64_t rows) {
  const auto first_row = static_cast<std::int64_t>(batch.ids.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t position = sequence.computed + r;
    batch.ids.push_back(sequence.ids[static_cast<std::size_t>(position)]);
    batch.positions.push_back(position);
    if (position >= sequence.first_logit) {
      batch.queries.push_back(events_.query(sequence, position));
      batch.queries.back().row = first_row + r;
      logit_rows_.push_back({&sequence, position});
    }
  }
  batch.sequences.push_back({.first_row = first_row,
                             .rows = rows,
                             .first_position = sequence.computed,
                             .pages = sequence.pages});
  planned_.push_back({&sequence, rows});
}

void Scheduler::publish_full_pages(Sequence& sequence) {
  const std::size_t full =
      std::min(sequence.keys.size(), static_cast<std::size_t>(sequence.computed / kPageTokens));
  for (std::size_t i = static_cast<std::size_t>(sequence.cached / kPageTokens); i < full; ++i) {
    pool_.publish(sequence.pages[i], sequence.keys[i]);
    pending_.erase(sequence.keys[i]);
  }
}

void Scheduler::after_step() {
  for (const Planned& planned : planned_) {
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

void Scheduler::release(Sequence& sequence) {
  for (const PagePool::PageKey& key : sequence.keys) pending_.erase(key);
  for (const std::int32_t page : sequence.pages) pool_.release(page);
  sequence.pages.clear();
}

}  // namespace assay::engine
