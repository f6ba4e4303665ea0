#include "suites/journal.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "suites/interrupt.h"
#include "suites/records.h"

namespace assay::suites {
namespace {

// Responses that finish within this time share a transaction: a flush to disk costs milliseconds.
constexpr auto kGroupTime = std::chrono::milliseconds(50);
// Between looks at the scoring threads once the model is done.
constexpr auto kDrainTime = std::chrono::milliseconds(5);

}  // namespace

Journal::Journal(store::RunWriter& writer, std::int64_t run_task_row, ScorePool& pool,
                 Progress& progress)
    : writer_(writer),
      run_task_row_(run_task_row),
      pool_(pool),
      progress_(progress),
      thread_([this] {
        try {
          work();
        } catch (...) {  // kept and rethrown by close()
          const std::lock_guard lock(mutex_);
          error_ = std::current_exception();
        }
      }) {}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Journal::post(JournalEntry entry) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(entry));
  }
  wake_.notify_one();
}

bool Journal::failed() const {
  const std::lock_guard lock(mutex_);
  return error_ != nullptr;
}

void Journal::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (error_ != nullptr) std::rethrow_exception(error_);
}

void Journal::work() {
  for (;;) {
    std::vector<JournalEntry> entries;
    bool closing = false;
    {
      std::unique_lock lock(mutex_);
      const bool was_closing = closing_;
      wake_.wait_for(lock, was_closing ? kDrainTime : kGroupTime,
                     [&] { return closing_ != was_closing; });
      entries = std::exchange(posted_, {});
      closing = closing_;
    }
    write_entries(std::move(entries));
    write_scores(pool_.collect());
    const bool drained = open_scores_ == 0 || interrupted();
    const std::lock_guard lock(mutex_);
    if (closing && posted_.empty() && drained) return;
  }
}

void Journal::write_entries(std::vector<JournalEntry> entries) {
  if (entries.empty()) return;
  for (const JournalEntry& entry : entries) {
    if (entry.score || error_told_) continue;
    // The first one stands for all: a wrong option fails every sample in the same way.
    log_warning("{}: {}", entry.sample.item.key, escaped(entry.sample.generation.error));
    error_told_ = true;
  }
  std::vector<store::SampleRecord> fresh;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].sample.generation.row != 0) continue;
    fresh.push_back(std::move(entries[i].sample));
    places.push_back(i);
  }
  if (!fresh.empty()) writer_.add(run_task_row_, fresh);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    entries[places[i]].sample.generation.row = fresh[i].generation.row;
  }
  for (JournalEntry& entry : entries) {
    if (entry.score) {
      pool_.submit({.generation = entry.sample.generation.row, .score = std::move(entry.score)});
      ++open_scores_;
    } else {
      progress_.sample_done(-1);
    }
  }
}

void Journal::write_scores(const std::vector<ScoreResult>& results) {
  if (results.empty()) return;
  std::vector<store::RunWriter::StoredScore> scores;
  for (const ScoreResult& result : results) {
    scores.push_back({.generation_row = result.generation, .score = to_record(result.score)});
  }
  writer_.add_scores(run_task_row_, scores);
  open_scores_ -= results.size();
  for (const ScoreResult& result : results) {
    const bool unscored = result.score.verdict == evals::Verdict::kUnscored;
    progress_.sample_done(unscored ? -1 : result.score.value);
  }
}

}  // namespace assay::suites
