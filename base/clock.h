// The monotonic clock, which all times of requests are read from.
#pragma once

#include <chrono>
#include <cstdint>

namespace assay {

/// Nanoseconds since an unspecified start; never goes back. Any thread.
inline std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace assay
