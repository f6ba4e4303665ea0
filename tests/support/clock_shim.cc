// Preloaded into a program under test: its wall clock is off by ASSAY_TEST_CLOCK_OFFSET seconds, or
// jumps by years at every look where that is "jump". The monotonic clock stays.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

std::time_t offset() {
  const char* text = std::getenv("ASSAY_TEST_CLOCK_OFFSET");
  if (text == nullptr) return 0;
  if (std::strcmp(text, "jump") != 0) return std::atoll(text);
  static std::atomic<unsigned> looks{0};
  const unsigned look = ++looks;
  return static_cast<std::time_t>(look % 7) * 40'000'000 - 120'000'000;
}

void real_clock(clockid_t clock, timespec* out) { ::syscall(SYS_clock_gettime, clock, out); }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  real_clock(clock, out);
  if (clock == CLOCK_REALTIME) out->tv_sec += offset();
  return 0;
}

std::time_t time(std::time_t* out) noexcept {
  timespec now{};
  real_clock(CLOCK_REALTIME, &now);
  const std::time_t value = now.tv_sec + offset();
  if (out != nullptr) *out = value;
  return value;
}

int gettimeofday(timeval* out, void* /*zone*/) noexcept {
  timespec now{};
  real_clock(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec + offset();
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

}  // extern "C"
