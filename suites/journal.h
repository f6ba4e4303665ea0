// The writing side of a run: stores finished responses in small transactions, then has them scored
// and stores the verdicts. A response is stored before it is scored, so a crash while scoring never
// asks the model again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "evals/score.h"
#include "store/store.h"
#include "suites/progress.h"
#include "suites/score_pool.h"

namespace assay::suites {

/// A response to be stored and scored. `score` is empty for responses that failed.
struct JournalEntry {
  store::SampleRecord sample;  // with generation.row set: stored already, only scored
  std::function<evals::Score()> score;
};

/// One task of one run. While it exists, its own thread alone uses `writer` and its store.
class Journal {
 public:
  /// All references must outlive the journal.
  Journal(store::RunWriter& writer, std::int64_t run_task_row, ScorePool& pool, Progress& progress);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  Journal(Journal&&) = delete;
  Journal& operator=(Journal&&) = delete;

  /// Any thread; never waits for the disk.
  void post(JournalEntry entry);
  /// Writing failed (disk full, lost file): no use in asking the model for more.
  [[nodiscard]] bool failed() const;
  /// Stores what was posted; waits for open scores unless a signal asked to stop. Rethrows an error
  /// of the writing thread.
  void close();

 private:
  void work();
  void write_entries(std::vector<JournalEntry> entries);
  void write_scores(const std::vector<ScoreResult>& results);

  store::RunWriter& writer_;
  std::int64_t run_task_row_;
  ScorePool& pool_;
  Progress& progress_;
  mutable std::mutex mutex_;  // guards the fields below
  std::condition_variable wake_;
  std::vector<JournalEntry> posted_;
  bool closing_ = false;
  std::exception_ptr error_;
  std::size_t open_scores_ = 0;  // this and the next: of the writing thread alone
  bool error_told_ = false;      // the first failed response was named on stderr
  std::thread thread_;
};

}  // namespace assay::suites
