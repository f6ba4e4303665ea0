// What a person sees while a run goes on: a bar where stderr is a terminal, else a line now and
// then.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace assay::suites {

enum class ProgressStyle {
  kBar,    // one line, redrawn
  kPlain,  // a line every 30 seconds and at the end of each task
  kNone,
};

/// Bar if stderr is a terminal and CI is not set, else plain.
ProgressStyle default_progress_style();

/// One task's line: "gsm8k@assay fp8  [=====>    ]  412/1319  31.2%  18.3/s  eta 0:49  2 errors".
/// Owned and called by one thread.
class Progress {
 public:
  Progress(ProgressStyle style, std::string label, std::int64_t total, std::int64_t already_done);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;

  /// One more sample is stored. `value` is its score in [0, 1], or negative when it was not scored.
  void sample_done(double value);
  /// Prints the last state; later calls do nothing.
  void finish();
  /// The line without control characters, for tests.
  [[nodiscard]] std::string line(std::chrono::steady_clock::time_point now) const;

 private:
  void draw(bool last);

  ProgressStyle style_;
  std::string label_;
  std::int64_t total_;
  std::int64_t before_;  // done in an earlier attempt: in the count, not in the rate
  std::int64_t done_ = 0;
  std::int64_t errors_ = 0;
  double value_sum_ = 0;
  bool finished_ = false;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace assay::suites
