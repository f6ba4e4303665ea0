// Notices a step that hangs: a thread that never comes back, a kernel that never ends. Such a
// thread can be neither joined nor interrupted, so all that is left is to say so and to end the
// process.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "engine/executor.h"

namespace assay::engine {

struct StepWatchOptions {
  /// Without progress, after which a step counts as hung. Far beyond the slowest part of a step;
  /// and beyond the time that processes wait for each other, which is told in better words.
  std::chrono::milliseconds limit{900'000};
  /// Called once, on the watching thread. The default says what hangs and ends the process with
  /// exit code 6; whatever was stored before stays.
  std::function<void(const std::string& why)> on_hang;
};

/// An executor whose steps are watched by a thread of its own, which looks at Executor::progress
/// now and then. Time in which that thread did not run itself (the process was stopped, the machine
/// asleep) does not count. Costs a step two additions.
class WatchedExecutor : public Executor {
 public:
  WatchedExecutor(std::unique_ptr<Executor> own, StepWatchOptions options);
  ~WatchedExecutor() override;
  WatchedExecutor(const WatchedExecutor&) = delete;
  WatchedExecutor& operator=(const WatchedExecutor&) = delete;
  WatchedExecutor(WatchedExecutor&&) = delete;
  WatchedExecutor& operator=(WatchedExecutor&&) = delete;

  [[nodiscard]] std::int64_t max_rows() const override { return own_->max_rows(); }
  [[nodiscard]] bool takes_logit_bias() const override { return own_->takes_logit_bias(); }
  [[nodiscard]] std::uint64_t progress() const override { return own_->progress(); }
  void run(const Batch& batch, std::span<LogitResult> results) override;
  [[nodiscard]] bool runs_ahead() const override { return own_->runs_ahead(); }
  void start(const Batch& batch) override;
  void finish(std::span<LogitResult> results) override;
  void forget() noexcept override;

 private:
  struct Wait;
  void watch();

  std::unique_ptr<Executor> own_;
  StepWatchOptions options_;
  std::deque<std::size_t> started_;      // rows of the steps in flight
  std::atomic<std::uint64_t> edges_{0};  // beginnings and ends of waits for a step: odd within one
  std::atomic<std::size_t> rows_{0};     // of the step
  std::mutex mutex_;                     // guards the fields below
  std::condition_variable wake_;
  const Executor* looked_at_;  // null once `own_` ends
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace assay::engine
