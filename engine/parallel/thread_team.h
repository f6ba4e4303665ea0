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

/// Owned and used by one thread, its leader, which works along. Each thread has a contiguous range
/// of the tasks, the same for every loop of one length, so that it streams its own part of the
/// weights; who is done takes tasks from the far end of others' ranges. A thread that lost its core
/// to another process delays the others by the one task it holds, and by nothing when it holds
/// none: the leader waits for tasks, not for threads. Which thread runs a task must not matter to
/// its result. Waiting spins for some microseconds, then sleeps.
class ThreadTeam {
 public:
  /// `threads` includes the leader; at least 1. With `first_core` >= 0, worker t is pinned to core
  /// first_core + t of those this process may use (pin_to_core); its leader pins itself.
  explicit ThreadTeam(int threads, int first_core = -1);
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
  void run_chunk(std::int64_t chunk, int thread);
  void worker_main(int thread, int core);
  void end();  // of all workers

  /// What is left of a thread's chunks, and of which job: one word, so that a thread that wakes up
  /// late cannot take a chunk of a later job with an earlier job's numbers.
  struct alignas(8) Left {
    std::uint32_t job = 0;
    std::uint16_t begin = 0;
    std::uint16_t end = 0;
  };
  struct alignas(64) Slot {
    std::atomic<Left> left;
  };
  enum class Side { kFront, kBack };
  static bool take(Slot& slot, std::uint32_t job, Side side, std::int64_t& chunk);

  std::vector<Slot> slots_;  // one a thread
  std::vector<std::thread> workers_;
  // The job; written by the leader before it fills the slots, read by who took a chunk. It stays
  // until all chunks are done.
  Call call_ = nullptr;
  void* context_ = nullptr;
  std::int64_t tasks_ = 0;
  std::int64_t chunk_tasks_ = 1;
  alignas(64) std::atomic<std::uint32_t> job_{0};
  alignas(64) std::atomic<std::uint32_t> done_{0};  // chunks of the job
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // written by the thread that set failed_ first
};

/// Waits until `value` is no longer `old`: spins for about 50 microseconds, then sleeps.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old);

/// Cores that this process may use: affinity mask and, where set, the control group's quota.
int usable_cores();

/// Binds the calling thread to core `index` (modulo their number) of those that the process may
/// use, so that two threads of a pool never share one while another process has a core of its own.
/// Nothing happens where the system refuses.
void pin_to_core(int index);

}  // namespace assay::engine
