// When to ask again: what Retry-After says, back-off with jitter, a budget of repeats, and how
// many requests a server gets at once. Values and clocks come in; nothing here waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "engine/http_options.h"

namespace assay::engine {

/// The wait that the headers ask for: "retry-after-ms" (a number), else "Retry-After" (seconds, or
/// an HTTP date, of which `now` is taken). Nonsense and the past give nothing.
std::optional<std::chrono::milliseconds> told_wait(std::string_view retry_after_ms,
                                                   std::string_view retry_after,
                                                   std::chrono::system_clock::time_point now);

/// Full jitter: uniform between 0 and first_wait * 2^(attempt - 1), the latter at most
/// longest_wait. Source: Brooker 2015, "Exponential backoff and jitter". `attempt` counts from 1.
std::chrono::milliseconds jittered_wait(const HttpOptions& options, std::int64_t attempt,
                                        SplitMix64& random);

/// Repeats are at most a fifth of the requests of the last minute, and `budget_floor`: a server in
/// trouble is not asked more for it. Times are nanoseconds of one clock.
class RetryBudget {
 public:
  explicit RetryBudget(const HttpOptions& options);
  void on_request(std::int64_t now_ns);
  /// Whether one more repeat may go out now; it then counts.
  bool take(std::int64_t now_ns);

 private:
  void forget(std::int64_t now_ns);

  std::int64_t window_ns_;
  std::int64_t floor_;
  std::deque<std::int64_t> requests_;
  std::deque<std::int64_t> repeats_;
};

/// How many requests a server gets at once: halved when it says that it is busy, at most once for
/// the requests that were under way together; one more for each full round that went well.
class Concurrency {
 public:
  explicit Concurrency(std::int64_t most) : most_(most), limit_(static_cast<double>(most)) {}
  [[nodiscard]] std::int64_t limit() const { return static_cast<std::int64_t>(limit_); }
  void on_success();
  /// `sent_ns`: when the refused request went out.
  void on_busy(std::int64_t sent_ns, std::int64_t now_ns);
  /// After a time away: half of the most, then as above.
  void restart();

 private:
  std::int64_t most_;
  double limit_;
  std::int64_t cut_ns_ = -1;  // when it was last halved
};

}  // namespace assay::engine
