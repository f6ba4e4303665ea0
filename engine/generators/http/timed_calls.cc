#include "engine/generators/http/timed_calls.h"

#include <chrono>
#include <utility>

#include "base/clock.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kMostAtOnce = 250'000;  // ns of calls before the sockets are looked at again

}  // namespace

void TimedCalls::add(std::int64_t at_ns, std::function<void()> call) {
  if (closed_) return;
  const auto place = calls_.emplace(at_ns, std::move(call));
  if (!running_ && place == calls_.begin()) arm();
}

void TimedCalls::close() {
  closed_ = true;
  calls_.clear();
  timer_.cancel();
}

void TimedCalls::arm() {
  using Clock = std::chrono::steady_clock;
  timer_.expires_at(Clock::time_point(std::chrono::nanoseconds(calls_.begin()->first)));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) run_due();
  });
}

void TimedCalls::run_due() {
  running_ = true;  // one timer is set for all that these calls add
  const std::int64_t begin = monotonic_ns();
  for (std::int64_t now = begin; now < begin + kMostAtOnce; now = monotonic_ns()) {
    if (calls_.empty() || calls_.begin()->first > now) break;
    const std::function<void()> call = std::move(calls_.begin()->second);
    calls_.erase(calls_.begin());
    call();
  }
  running_ = false;
  if (!calls_.empty()) arm();
}

}  // namespace assay::engine
