// Notices work that hangs: a thread that never comes back, a kernel that never ends. Such a thread
// can be neither joined nor interrupted, so all that is left is to say so and to end the process.
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
#include "engine/model.h"

namespace assay::engine {

struct WatchOptions {
  /// Without progress, after which work counts as hung. Far beyond the slowest part of a step; and
  /// beyond the time that processes wait for each other, which is told in better words.
  std::chrono::milliseconds limit{900'000};
  /// Called once, on the watching thread. The default says what hangs and ends the process with
  /// exit code 6; whatever was stored before stays.
  std::function<void(const std::string& why)> on_hang;
};

/// With the limit of ASSAY_STALL_SECONDS, where that is set. Throws: Error(kInput).
WatchOptions watch_options();

/// Watches one worker's pieces of work by a thread of its own, which looks now and then whether a
/// piece began or ended or `progress` grew. Time in which that thread did not run itself (the
/// process was stopped, the machine asleep) does not count.
class StallWatch {
 public:
  using Progress = std::function<std::uint64_t()>;
  /// Both are called on the watching thread; `where` once, for the message.
  StallWatch(Progress progress, std::function<std::string()> where, WatchOptions options);
  ~StallWatch();
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;
  StallWatch(StallWatch&&) = delete;
  StallWatch& operator=(StallWatch&&) = delete;

  void begin() { ++edges_; }
  void end() { ++edges_; }
  /// From its return on `progress` is not called any more.
  void forget_progress();

 private:
  void watch();

  std::function<std::string()> where_;
  WatchOptions options_;
  std::atomic<std::uint64_t> edges_{0};  // beginnings and ends: odd within a piece of work
  std::mutex mutex_;                     // guards the fields below
  std::condition_variable wake_;
  Progress progress_;  // null: forgotten
  bool ending_ = false;
  std::thread thread_;
};

/// An executor whose steps, and whose end, are watched; Executor::progress is their progress. Costs
/// a step two additions.
class WatchedExecutor : public Executor {
 public:
  WatchedExecutor(std::unique_ptr<Executor> own, WatchOptions options);
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

  std::unique_ptr<Executor> own_;
  std::deque<std::size_t> started_;   // rows of the steps in flight
  std::atomic<std::size_t> rows_{0};  // of the step that is waited for
  StallWatch watch_;
};

/// Weights that somebody reads to load or to quantize them, watched from its making to its end: a
/// row or a matrix that is asked for is progress. It must outlive the threads that read.
class WatchedWeights : public WeightSource {
 public:
  /// `base` must outlive it.
  WatchedWeights(const WeightSource& base, WatchOptions options);
  ~WatchedWeights() override;
  WatchedWeights(const WatchedWeights&) = delete;
  WatchedWeights& operator=(const WatchedWeights&) = delete;
  WatchedWeights(WatchedWeights&&) = delete;
  WatchedWeights& operator=(WatchedWeights&&) = delete;

  [[nodiscard]] bool has(const std::string& name) const override { return base_.has(name); }
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override;
  void release() const override { base_.release(); }
  [[nodiscard]] const CodeSource* codes(const std::string& module) const override;
  [[nodiscard]] float input_scale(const std::string& module) const override {
    return base_.input_scale(module);
  }
  [[nodiscard]] KvScales kv_scales(std::int64_t layer) const override {
    return base_.kv_scales(layer);
  }

 private:
  const WeightSource& base_;
  mutable std::atomic<std::uint64_t> read_{0};
  StallWatch watch_;
};

}  // namespace assay::engine
