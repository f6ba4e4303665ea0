#include "suites/bench/clock.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/clock.h"
#include "suites/interrupt.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kLongestSleep = 100'000'000;  // a signal is noticed this soon, ns
constexpr unsigned long kTimerSlackNs = 1000;        // the default, 50 us, is much of a short gap

}  // namespace

SteadyLoadClock::SteadyLoadClock() { ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs, 0, 0, 0); }

std::int64_t SteadyLoadClock::now_ns() const { return monotonic_ns(); }

void SteadyLoadClock::sleep_until(std::int64_t deadline_ns) {
  for (std::int64_t now = now_ns(); now < deadline_ns && !interrupted(); now = now_ns()) {
    const std::int64_t until = std::min(deadline_ns, now + kLongestSleep);
    const timespec at{.tv_sec = until / 1'000'000'000, .tv_nsec = until % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
}

void SteadyLoadClock::wait(std::int64_t deadline_ns, const std::function<bool()>& done) {
  waiting_ = true;
  while (!interrupted()) {
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock(mutex_);
      seen = wakes_;
    }
    if (done()) break;
    const std::int64_t now = now_ns();
    if (now >= deadline_ns) break;
    const auto until = std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(std::min(deadline_ns, now + kLongestSleep)));
    std::unique_lock lock(mutex_);
    condition_.wait_until(lock, until, [&] { return wakes_ != seen; });
  }
  waiting_ = false;
}

void SteadyLoadClock::wake() {
  if (!waiting_) return;  // an open loop is not woken by each answer
  {
    const std::lock_guard lock(mutex_);
    ++wakes_;
  }
  condition_.notify_one();
}

}  // namespace assay::suites
