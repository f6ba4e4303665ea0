// Scores responses on threads of their own, so that a slow scorer (running code) never holds up the
// engine.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "evals/score.h"

namespace assay::suites {

/// A response waiting for its verdict. `score` is called once on some thread of the pool.
struct ScoreJob {
  std::int64_t generation = 0;  // the caller's key
  std::function<evals::Score()> score;
};

struct ScoreResult {
  std::int64_t generation = 0;
  evals::Score score;
};

/// Owned by one thread, which submits and collects. A scorer that throws yields an unscored result
/// with the error as its reason: one bad sample never ends a run.
class ScorePool {
 public:
  explicit ScorePool(int threads);
  ~ScorePool();
  ScorePool(const ScorePool&) = delete;
  ScorePool& operator=(const ScorePool&) = delete;
  ScorePool(ScorePool&&) = delete;
  ScorePool& operator=(ScorePool&&) = delete;

  void submit(ScoreJob job);
  /// What has been scored since the last call, without waiting.
  std::vector<ScoreResult> collect();
  /// Waits until all submitted jobs are scored, then collects.
  std::vector<ScoreResult> collect_all();

 private:
  void work();
  void end();  // of all threads

  std::mutex mutex_;  // guards all below
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<ScoreJob> waiting_;
  std::vector<ScoreResult> done_;
  std::size_t open_ = 0;  // waiting or being scored
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace assay::suites
