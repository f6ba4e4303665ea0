#include "engine/generators/http/retry.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace assay::engine {
namespace {

using std::chrono::milliseconds;

constexpr double kLongestSeconds = 1e9;  // beyond it a wait is nonsense

/// "Wed, 21 Oct 2015 07:28:00 GMT", the one form that servers may send (RFC 9110, 5.6.7).
/// In seconds: the clock's own ticks end in the year 2262.
std::optional<std::chrono::sys_seconds> http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(25) != " GMT" || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto day = parse_int(text.substr(5, 2));
  const auto year = parse_int(text.substr(12, 4));
  const auto hour = parse_int(text.substr(17, 2));
  const auto minute = parse_int(text.substr(20, 2));
  const auto second = parse_int(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year{static_cast<int>(*year)},
      std::chrono::month{static_cast<unsigned>(month - kMonths.begin()) + 1},
      std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *hour < 0 || *hour > 23 || *minute < 0 || *minute > 59 || *second < 0 ||
      *second > 60) {
    return std::nullopt;
  }
  return std::chrono::sys_days{date} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         std::chrono::seconds{*second};
}

std::optional<milliseconds> positive(double value_ms) {
  if (!(value_ms >= 0) || value_ms > kLongestSeconds * 1000) return std::nullopt;
  return milliseconds{static_cast<std::int64_t>(value_ms)};
}

}  // namespace

std::optional<milliseconds> told_wait(std::string_view retry_after_ms, std::string_view retry_after,
                                      std::chrono::system_clock::time_point now) {
  if (const auto ms = parse_double(trim_ascii(retry_after_ms))) {
    if (const auto wait = positive(*ms)) return wait;
  }
  retry_after = trim_ascii(retry_after);
  if (const auto seconds = parse_double(retry_after)) return positive(*seconds * 1000);
  if (const auto date = http_date(retry_after)) {
    const auto wait = std::chrono::time_point_cast<milliseconds>(*date) -
                      std::chrono::time_point_cast<milliseconds>(now);
    if (wait.count() > 0) return positive(static_cast<double>(wait.count()));
  }
  return std::nullopt;
}

milliseconds jittered_wait(const HttpOptions& options, std::int64_t attempt, SplitMix64& random) {
  const auto doublings = std::min<std::int64_t>(attempt - 1, 30);
  const auto most = std::min(options.longest_wait.count(), options.first_wait.count() << doublings);
  if (most <= 0) return milliseconds{0};
  return milliseconds{
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most) + 1))};
}

RetryBudget::RetryBudget(const HttpOptions& options)
    : window_ns_(std::chrono::nanoseconds(options.budget_window).count()),
      floor_(options.budget_floor) {}

void RetryBudget::forget(std::int64_t now_ns) {
  for (auto* times : {&requests_, &repeats_}) {
    while (!times->empty() && times->front() < now_ns - window_ns_) times->pop_front();
  }
}

void RetryBudget::on_request(std::int64_t now_ns) {
  forget(now_ns);
  requests_.push_back(now_ns);
}

bool RetryBudget::take(std::int64_t now_ns) {
  forget(now_ns);
  const auto most = floor_ + static_cast<std::int64_t>(requests_.size()) / 5;
  if (static_cast<std::int64_t>(repeats_.size()) >= most) return false;
  repeats_.push_back(now_ns);
  return true;
}

void Concurrency::on_success() {
  limit_ = std::min(limit_ + 1 / limit_, static_cast<double>(most_));
}

void Concurrency::on_busy(std::int64_t sent_ns, std::int64_t now_ns) {
  if (sent_ns <= cut_ns_) return;
  limit_ = std::max(1.0, limit_ / 2);
  cut_ns_ = now_ns;
}

void Concurrency::restart() {
  limit_ = std::max(1.0, static_cast<double>(most_) / 2);
  cut_ns_ = -1;
}

}  // namespace assay::engine
