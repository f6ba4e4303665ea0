#include "suites/score_pool.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace assay::suites {
namespace {

evals::Score scored(const ScoreJob& job) {
  try {
    return job.score();
  } catch (const std::exception& error) {
    evals::Score failed;
    failed.verdict = evals::Verdict::kUnscored;
    failed.reason = std::string("the scorer failed: ") + error.what();
    return failed;
  }
}

}  // namespace

ScorePool::ScorePool(int threads) {
  try {
    for (int i = 0; i < std::max(1, threads); ++i) threads_.emplace_back([this] { work(); });
  } catch (...) {  // the system may refuse the second thread
    end();
    throw;
  }
}

ScorePool::~ScorePool() { end(); }

void ScorePool::end() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    waiting_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ScorePool::submit(ScoreJob job) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(job));
    ++open_;
  }
  wake_.notify_one();
}

std::vector<ScoreResult> ScorePool::collect() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

std::vector<ScoreResult> ScorePool::collect_all() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return open_ == 0; });
  return std::exchange(done_, {});
}

void ScorePool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    const ScoreJob job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    evals::Score score = scored(job);
    lock.lock();
    done_.push_back({.generation = job.generation, .score = std::move(score)});
    if (--open_ == 0) idle_.notify_all();
  }
}

}  // namespace assay::suites
