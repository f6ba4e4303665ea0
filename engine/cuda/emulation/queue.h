// When the emulated device works: at once, or, to show that nothing depends on it, as late as a
// device may.
#pragma once

#include <cstdint>
#include <functional>

namespace assay::engine::emulation {

/// While it lives, what this thread enqueues is put off until something waits for it, and then only
/// what was enqueued before that point is done. Host memory that is written or freed too early
/// shows.
class Deferral {
 public:
  Deferral();
  ~Deferral();
  Deferral(const Deferral&) = delete;
  Deferral& operator=(const Deferral&) = delete;
  Deferral(Deferral&&) = delete;
  Deferral& operator=(Deferral&&) = delete;
};

/// All streams of a thread are one queue.
void enqueue(std::function<void()> work);
/// A point behind everything that was enqueued.
std::uint64_t queue_end();
/// Works until that point is reached.
void work_until(std::uint64_t point);

}  // namespace assay::engine::emulation
