#include "engine/generators/http/job.h"

#include <fmt/format.h>

namespace assay::engine {

std::string why_not_again(const HttpOptions& http, const Job& job, const Fault& fault, bool again,
                          bool elsewhere, std::chrono::milliseconds wait, std::int64_t now_ns) {
  const auto ns = [](std::chrono::milliseconds time) {
    return std::chrono::nanoseconds(time).count();
  };
  const std::string after = fmt::format(" (attempt {})", job.served.attempts);
  if (!again) return after;
  if (!fault.may_pass() && !(fault.kind == FaultKind::kFatal && elsewhere)) return after;
  if (job.served.attempts >= http.attempts) {
    return fmt::format(" ({} attempts)", job.served.attempts);
  }
  if (job.told && wait > http.longest_told) {
    return fmt::format("; it asks to come back in {} s", wait.count() / 1000);
  }
  if (now_ns + ns(wait) > job.times.scheduled_ns + ns(http.sample)) {
    return fmt::format("; the time of {} s for one request is over", http.sample.count() / 1000);
  }
  return "";
}

}  // namespace assay::engine
