// A device without arithmetic that does keep a cache: a row's answer is a hash of all tokens that
// its sequence's pages hold up to it, so that a page that is written too early, too late or by
// somebody else shows in every token that follows.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/executor.h"
#include "engine/page_pool.h"

namespace assay::test {

/// FNV-1a over token ids.
inline std::uint64_t hash_tokens(std::span<const engine::TokenId> ids) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const engine::TokenId id : ids) {
    hash = (hash ^ static_cast<std::uint64_t>(id)) * 1099511628211ULL;
  }
  return hash ^ hash >> 29;
}

/// The token that follows these.
inline engine::TokenId next_token(std::span<const engine::TokenId> ids, engine::TokenId vocab) {
  return static_cast<engine::TokenId>(hash_tokens(ids) % static_cast<std::uint64_t>(vocab));
}

/// Works as late as a device may: when a step is waited for.
class HashingExecutor : public engine::Executor {
 public:
  struct Limits {
    std::int64_t pages = 0;
    engine::TokenId vocab = 0;
    std::int64_t max_rows = 64;
    bool ahead = false;
  };
  explicit HashingExecutor(const Limits& limits)
      : limits_(limits), cache_(static_cast<std::size_t>(limits.pages * engine::kPageTokens), -1) {}

  std::int64_t max_rows() const override { return limits_.max_rows; }
  bool takes_logit_bias() const override { return false; }
  bool runs_ahead() const override { return limits_.ahead; }

  void run(const engine::Batch& batch, std::span<engine::LogitResult> results) override {
    start(batch);
    finish(results);
  }

  void start(const engine::Batch& batch) override {
    ASSAY_CHECK(in_flight_ < (limits_.ahead ? 2 : 1), "steps in flight");
    ASSAY_CHECK(static_cast<std::int64_t>(batch.ids.size()) <= limits_.max_rows, "rows");
    ASSAY_CHECK(!batch.ids.empty(), "an empty step");
    ++in_flight_;
    ++steps;
    waited += batch.chosen.empty() ? 1 : 0;
    Work work{.batch = batch, .pages = {}};
    for (const engine::SequenceRows& sequence : batch.sequences) {
      work.pages.emplace_back(sequence.pages.begin(), sequence.pages.end());
    }
    queue_.push_back(std::move(work));
  }

  void finish(std::span<engine::LogitResult> results) override {
    while (queue_.size() >= static_cast<std::size_t>(in_flight_)) {
      work(queue_.front());
      queue_.pop_front();
    }
    --in_flight_;
    for (std::size_t i = 0; i < results.size(); ++i) {
      results[i].chosen = results[i].argmax = chosen_[i];
      results[i].logprob.id = chosen_[i];
    }
  }

  /// What was started is still done, before what is started next.
  void forget() noexcept override { in_flight_ = 0; }

  int steps = 0;
  int waited = 0;  // steps that needed no token of the step before

 private:
  struct Work {
    engine::Batch batch;
    std::vector<std::vector<std::int32_t>> pages;
  };

  static std::size_t place(const std::vector<std::int32_t>& pages, std::int64_t position) {
    const std::int64_t page = pages.at(static_cast<std::size_t>(position / engine::kPageTokens));
    return static_cast<std::size_t>(page * engine::kPageTokens + position % engine::kPageTokens);
  }

  void work(Work& step) {
    for (const engine::ChosenToken& token : step.batch.chosen) {
      step.batch.ids[static_cast<std::size_t>(token.row)] =
          chosen_.at(static_cast<std::size_t>(token.query));
    }
    std::vector<std::size_t> sequence_of;
    for (std::size_t s = 0; s < step.batch.sequences.size(); ++s) {
      const engine::SequenceRows& rows = step.batch.sequences[s];
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        sequence_of.push_back(s);
        cache_[place(step.pages[s], rows.first_position + r)] =
            step.batch.ids[static_cast<std::size_t>(rows.first_row + r)];
      }
    }
    std::vector<engine::TokenId> chosen;
    for (const engine::LogitQuery& query : step.batch.queries) {
      const std::vector<std::int32_t>& pages =
          step.pages[sequence_of[static_cast<std::size_t>(query.row)]];
      std::vector<engine::TokenId> ids;
      const std::int64_t last = step.batch.positions[static_cast<std::size_t>(query.row)];
      for (std::int64_t p = 0; p <= last; ++p) ids.push_back(cache_[place(pages, p)]);
      chosen.push_back(next_token(ids, limits_.vocab));
    }
    chosen_ = std::move(chosen);
  }

  Limits limits_;
  std::vector<engine::TokenId> cache_;
  std::deque<Work> queue_;
  int in_flight_ = 0;
  std::vector<engine::TokenId> chosen_;  // of the newest step that was done
};

}  // namespace assay::test
