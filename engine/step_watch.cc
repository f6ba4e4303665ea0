#include "engine/step_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kLooks = 20;  // in the time after which a step counts as hung
constexpr std::chrono::milliseconds kLongestWait{1000};

[[noreturn]] void end_process(const std::string& why) {
  const std::string line = "assay: " + why + "; what is finished is stored\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  // Not exit: what that runs may wait for the thread that hangs.
  ::_exit(static_cast<int>(ExitCode::kEnvironment));
}

}  // namespace

/// While it lives, a lack of progress counts.
struct WatchedExecutor::Wait {
  Wait(WatchedExecutor& the_watched, std::size_t rows) : watched(the_watched) {
    watched.rows_ = rows;
    ++watched.edges_;
  }
  ~Wait() { ++watched.edges_; }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  Wait(Wait&&) = delete;
  Wait& operator=(Wait&&) = delete;
  WatchedExecutor& watched;
};

WatchedExecutor::WatchedExecutor(std::unique_ptr<Executor> own, StepWatchOptions options)
    : own_(std::move(own)), options_(std::move(options)), looked_at_(own_.get()) {
  if (!options_.on_hang) options_.on_hang = end_process;
  thread_ = std::thread([this] { watch(); });
}

/// Its end is watched like a step: it waits for threads too.
WatchedExecutor::~WatchedExecutor() {
  {
    const std::lock_guard lock(mutex_);
    looked_at_ = nullptr;
  }
  rows_ = 0;
  ++edges_;
  own_.reset();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WatchedExecutor::run(const Batch& batch, std::span<LogitResult> results) {
  const Wait wait(*this, batch.ids.size());
  own_->run(batch, results);
}

/// The start is watched too: a device whose queue is full takes nothing more.
void WatchedExecutor::start(const Batch& batch) {
  const Wait wait(*this, batch.ids.size());
  started_.push_back(batch.ids.size());
  own_->start(batch);
}

void WatchedExecutor::finish(std::span<LogitResult> results) {
  const Wait wait(*this, started_.front());
  started_.pop_front();
  own_->finish(results);
}

void WatchedExecutor::forget() noexcept {
  started_.clear();
  own_->forget();
}

/// Counts looks, not time: between two of them this process may have been stopped for a day.
void WatchedExecutor::watch() {
  const auto wait = std::clamp(options_.limit / kLooks, std::chrono::milliseconds(1), kLongestWait);
  const std::int64_t most = std::max<std::int64_t>(kLooks, options_.limit / wait);
  std::pair<std::uint64_t, std::uint64_t> last;
  std::int64_t looks = 0;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, wait, [this] { return ending_; })) {
    const std::pair now(edges_.load(), looked_at_ == nullptr ? 0 : looked_at_->progress());
    const bool within_step = now.first % 2 == 1;
    looks = within_step && now == last ? looks + 1 : 0;
    last = now;
    if (looks < most) continue;
    const std::size_t rows = rows_;
    return options_.on_hang(
        fmt::format("the engine made no progress for {:.0f} s {}: a thread or a kernel hangs "
                    "(ASSAY_STALL_SECONDS sets the time)",
                    std::chrono::duration<double>(options_.limit).count(),
                    rows > 0 ? fmt::format("in a step of {} rows", rows) : "at its end"));
  }
}

}  // namespace assay::engine
