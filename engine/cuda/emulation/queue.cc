#include "engine/cuda/emulation/queue.h"

#include <deque>
#include <utility>

namespace assay::engine::emulation {
namespace {

struct Queue {
  bool deferred = false;
  std::deque<std::function<void()>> work;
  std::uint64_t done = 0;
};

// Each thread of the host is a device of its own.
Queue& queue() {
  thread_local Queue own;
  return own;
}

}  // namespace

Deferral::Deferral() { queue().deferred = true; }
Deferral::~Deferral() {
  work_until(queue_end());
  queue().deferred = false;
}

void enqueue(std::function<void()> work) {
  if (!queue().deferred) return work();
  queue().work.push_back(std::move(work));
}

std::uint64_t queue_end() { return queue().done + queue().work.size(); }

void work_until(std::uint64_t point) {
  while (queue().done < point) {
    const std::function<void()> next = std::move(queue().work.front());
    queue().work.pop_front();
    ++queue().done;
    next();
  }
}

}  // namespace assay::engine::emulation
