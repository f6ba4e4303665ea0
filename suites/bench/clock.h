// The load generator's clock: the machine's monotonic one, or a virtual one in tests.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace assay::suites {

class LoadClock {
 public:
  virtual ~LoadClock() = default;
  [[nodiscard]] virtual std::int64_t now_ns() const = 0;
  /// Returns at `deadline_ns`, or somewhat earlier after a signal (suites/interrupt.h).
  virtual void sleep_until(std::int64_t deadline_ns) = 0;
  /// Returns when `done` holds, or at the deadline, or after a signal. `done` is looked at after
  /// each wake().
  virtual void wait(std::int64_t deadline_ns, const std::function<bool()>& done) = 0;
  /// From any thread.
  virtual void wake() = 0;
};

/// std::chrono::steady_clock, as the engine's times are. One waiting thread.
class SteadyLoadClock : public LoadClock {
 public:
  SteadyLoadClock();
  [[nodiscard]] std::int64_t now_ns() const override;
  void sleep_until(std::int64_t deadline_ns) override;
  void wait(std::int64_t deadline_ns, const std::function<bool()>& done) override;
  void wake() override;

 private:
  std::atomic<bool> waiting_{false};
  std::mutex mutex_;  // guards wakes_
  std::condition_variable condition_;
  std::uint64_t wakes_ = 0;
};

}  // namespace assay::suites
