// A few threads that run loops together. The pool of one rank.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace assay::engine {

/// Owned and used by one thread, its leader, which works along. Tasks are handed out one by one, so
/// that a thread that lost its core to another process delays the others little; which thread runs
/// a task must not matter to its result. Waiting spins for some microseconds, then sleeps.
class ThreadTeam {
 public:
  /// `threads` includes the leader; at least 1.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  ThreadTeam(ThreadTeam&&) = delete;
  ThreadTeam& operator=(ThreadTeam&&) = delete;

  [[nodiscard]] int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(task, thread) for every task in [0, tasks), thread in [0, size()); returns when all
  /// are done. Rethrows the first exception of a task. Does not allocate.
  template <typename Body>
  void run(std::int64_t tasks, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    auto call = [](void* context, std::int64_t task, int thread) {
      (*static_cast<Plain*>(context))(task, thread);
    };
    run_erased(tasks, call, const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Call = void (*)(void* context, std::int64_t task, int thread);
  void run_erased(std::int64_t tasks, Call call, void* context);
  void work(int thread);
  void worker_main(int thread);

  std::vector<std::thread> workers_;
  // The job; written by the leader before `epoch_` changes, read by workers after.
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::int64_t tasks_ = 0;
  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  alignas(64) std::atomic<std::uint32_t> pending_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // written by the thread that set failed_ first
};

/// Waits until `value` is no longer `old`: spins for about 50 microseconds, then sleeps.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old);

/// Cores that this process may use: affinity mask and, where set, the control group's quota.
int usable_cores();

}  // namespace assay::engine
