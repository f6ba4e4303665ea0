#include "engine/parallel/thread_team.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "base/check.h"
#include "engine/ops/cpu_kernels.h"

namespace assay::engine {
namespace {

// A longer spin would burn the core that a descheduled team mate needs.
constexpr int kSpins = 1500;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Cores of the control group's CPU quota, or a large number.
int quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1 << 20;
  return std::max(1, static_cast<int>(std::strtod(quota.c_str(), nullptr) / period + 0.5));
}

}  // namespace

std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    const std::uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    pause();
  }
  std::uint32_t now = old;
  while ((now = value.load(std::memory_order_acquire)) == old) {
    value.wait(old, std::memory_order_acquire);
  }
  return now;
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, std::min(CPU_COUNT(&set), quota_cores()));
}

void pin_to_core(int index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  int left = index % std::max(1, CPU_COUNT(&allowed));
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || left-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
    return;
  }
}

ThreadTeam::ThreadTeam(int threads, int first_core)
    : slots_(static_cast<std::size_t>(std::max(1, threads))) {
  static_assert(std::atomic<Left>::is_always_lock_free);
  ASSAY_CHECK(threads >= 1, "a team has a leader");
  try {
    for (int thread = 1; thread < threads; ++thread) {
      workers_.emplace_back([this, thread, first_core] {
        worker_main(thread, first_core < 0 ? -1 : first_core + thread);
      });
    }
  } catch (...) {  // the system may refuse the second worker
    end();
    throw;
  }
}

ThreadTeam::~ThreadTeam() { end(); }

void ThreadTeam::end() {
  stop_.store(true, std::memory_order_relaxed);
  job_.fetch_add(1, std::memory_order_release);
  job_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadTeam::take(Slot& slot, std::uint32_t job, Side side, std::int64_t& chunk) {
  Left left = slot.left.load(std::memory_order_acquire);
  while (left.job == job && left.begin < left.end) {
    Left rest = left;
    chunk = side == Side::kFront ? rest.begin++ : --rest.end;
    if (slot.left.compare_exchange_weak(left, rest, std::memory_order_acq_rel,
                                        std::memory_order_acquire)) {
      return true;
    }
  }
  return false;
}

void ThreadTeam::run_chunk(std::int64_t chunk, int thread) {
  try {
    const std::int64_t end = std::min(tasks_, (chunk + 1) * chunk_tasks_);
    for (std::int64_t task = chunk * chunk_tasks_; task < end; ++task) {
      if (failed_.load(std::memory_order_relaxed)) break;
      call_(context_, task, thread);
    }
  } catch (...) {
    if (!failed_.exchange(true)) error_ = std::current_exception();
  }
}

/// Own chunks in ascending order, then the last ones of others.
void ThreadTeam::work(int thread) {
  const std::uint32_t job = job_.load(std::memory_order_acquire);
  const auto size = slots_.size();
  std::int64_t chunk = 0;
  for (std::size_t k = 0; k < size; ++k) {
    Slot& slot = slots_[(static_cast<std::size_t>(thread) + k) % size];
    while (take(slot, job, k == 0 ? Side::kFront : Side::kBack, chunk)) {
      run_chunk(chunk, thread);
      done_.fetch_add(1, std::memory_order_acq_rel);
      // The leader may sleep; it looks again at every change.
      done_.notify_one();
    }
  }
}

void ThreadTeam::worker_main(int thread, int core) {
  if (core >= 0) pin_to_core(core);
  const FlushSubnormals flush;
  std::uint32_t seen = 0;
  for (;;) {
    seen = wait_for_change(job_, seen);
    if (stop_.load(std::memory_order_relaxed)) return;
    work(thread);
  }
}

void ThreadTeam::run_erased(std::int64_t tasks, Call call, void* context) {
  if (tasks <= 1 || workers_.empty()) {
    for (std::int64_t task = 0; task < tasks; ++task) call(context, task, 0);
    return;
  }
  constexpr std::int64_t kMostChunks = 0xFFFF;
  call_ = call;
  context_ = context;
  tasks_ = tasks;
  chunk_tasks_ = (tasks + kMostChunks - 1) / kMostChunks;
  const std::int64_t chunks = (tasks + chunk_tasks_ - 1) / chunk_tasks_;
  done_.store(0, std::memory_order_relaxed);
  const std::uint32_t job = job_.load(std::memory_order_relaxed) + 1;
  const auto size = static_cast<std::int64_t>(slots_.size());
  for (std::int64_t t = 0; t < size; ++t) {
    slots_[static_cast<std::size_t>(t)].left.store(
        {.job = job,
         .begin = static_cast<std::uint16_t>(chunks * t / size),
         .end = static_cast<std::uint16_t>(chunks * (t + 1) / size)},
        std::memory_order_release);
  }
  job_.store(job, std::memory_order_release);
  job_.notify_all();
  work(0);
  std::uint32_t done = done_.load(std::memory_order_acquire);
  while (done != static_cast<std::uint32_t>(chunks)) done = wait_for_change(done_, done);
  if (failed_.load(std::memory_order_relaxed)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
}

}  // namespace assay::engine
