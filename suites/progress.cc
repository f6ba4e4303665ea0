#include "suites/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace assay::suites {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kBarInterval = std::chrono::milliseconds(100);
constexpr auto kPlainInterval = std::chrono::seconds(30);

std::string duration(double seconds) {
  const auto total = static_cast<std::int64_t>(std::max(0.0, seconds) + 0.5);
  if (total >= 3600)
    return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

}  // namespace

ProgressStyle default_progress_style() {
  const char* ci = std::getenv("CI");
  const bool in_ci = ci != nullptr && *ci != '\0';
  return ::isatty(STDERR_FILENO) == 1 && !in_ci ? ProgressStyle::kBar : ProgressStyle::kPlain;
}

Progress::Progress(ProgressStyle style, std::string label, std::int64_t total,
                   std::int64_t already_done)
    : style_(style),
      label_(std::move(label)),
      total_(total),
      before_(already_done),
      start_(Clock::now()),
      drawn_(start_) {
  if (style_ == ProgressStyle::kBar) draw(false);
}

Progress::~Progress() { finish(); }

void Progress::sample_done(double value) {
  ++done_;
  if (value < 0) {
    ++errors_;
  } else {
    value_sum_ += value;
  }
  const auto interval = style_ == ProgressStyle::kBar ? Clock::duration(kBarInterval)
                                                      : Clock::duration(kPlainInterval);
  if (Clock::now() - drawn_ >= interval) draw(false);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  draw(true);
}

std::string Progress::line(Clock::time_point now) const {
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const std::int64_t count = before_ + done_;
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  std::string bar;
  if (style_ == ProgressStyle::kBar) {
    constexpr std::int64_t kWidth = 24;
    const std::int64_t filled = total_ > 0 ? count * kWidth / total_ : kWidth;
    bar = fmt::format("[{}{}]  ", std::string(static_cast<std::size_t>(filled), '='),
                      std::string(static_cast<std::size_t>(kWidth - filled), ' '));
  }
  std::string out = fmt::format("{}  {}{}/{}", label_, bar, count, total_);
  const std::int64_t scored = done_ - errors_;
  if (scored > 0) {
    out += fmt::format("  {:.1f}%", 100 * value_sum_ / static_cast<double>(scored));
  }
  out += fmt::format("  {:.1f}/s", rate);
  if (count < total_ && rate > 0) {
    out += fmt::format("  eta {}", duration(static_cast<double>(total_ - count) / rate));
  } else {
    out += fmt::format("  {}", duration(seconds));
  }
  if (errors_ > 0) out += fmt::format("  {} not scored", errors_);
  return out;
}

void Progress::draw(bool last) {
  drawn_ = Clock::now();
  if (style_ == ProgressStyle::kNone) return;
  std::string text = line(drawn_);
  // \x1b[K clears what a longer line left behind.
  if (style_ == ProgressStyle::kBar) text = "\r" + text + "\x1b[K";
  if (last || style_ == ProgressStyle::kPlain) text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace assay::suites
