#include "engine/step_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "engine/parallel/launch.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kLooks = 20;  // in the time after which work counts as hung
constexpr std::chrono::milliseconds kLongestWait{1000};

[[noreturn]] void end_process(const std::string& why) {
  const std::string line = "assay: " + why + "; what is finished is stored\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  // Not exit: what that runs may wait for the thread that hangs.
  ::_exit(static_cast<int>(ExitCode::kEnvironment));
}

}  // namespace

WatchOptions watch_options() {
  WatchOptions options;
  options.limit = seconds_of(process_environment, "ASSAY_STALL_SECONDS", options.limit);
  return options;
}

StallWatch::StallWatch(Progress progress, std::function<std::string()> where, WatchOptions options)
    : where_(std::move(where)), options_(std::move(options)), progress_(std::move(progress)) {
  if (!options_.on_hang) options_.on_hang = end_process;
  thread_ = std::thread([this] { watch(); });
}

StallWatch::~StallWatch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void StallWatch::forget_progress() {
  const std::lock_guard lock(mutex_);
  progress_ = nullptr;
}

/// Counts looks, not time: between two of them this process may have been stopped for a day.
void StallWatch::watch() {
  const auto wait = std::clamp(options_.limit / kLooks, std::chrono::milliseconds(1), kLongestWait);
  const std::int64_t most = std::max<std::int64_t>(kLooks, options_.limit / wait);
  std::pair<std::uint64_t, std::uint64_t> last;
  std::int64_t looks = 0;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, wait, [this] { return ending_; })) {
    const std::pair now(edges_.load(), progress_ ? progress_() : 0);
    const bool within = now.first % 2 == 1;
    looks = within && now == last ? looks + 1 : 0;
    last = now;
    if (looks < most) continue;
    return options_.on_hang(
        fmt::format("the engine made no progress for {:.0f} s {}: a thread or a kernel hangs "
                    "(ASSAY_STALL_SECONDS sets the time)",
                    std::chrono::duration<double>(options_.limit).count(), where_()));
  }
}

WatchedExecutor::WatchedExecutor(std::unique_ptr<Executor> own, WatchOptions options)
    : own_(std::move(own)),
      watch_([executor = own_.get()] { return executor->progress(); },
             [this] {
               const std::size_t rows = rows_;
               return rows > 0 ? fmt::format("in a step of {} rows", rows)
                               : std::string("at its end");
             },
             std::move(options)) {}

/// Its end waits for threads too.
WatchedExecutor::~WatchedExecutor() {
  watch_.forget_progress();
  rows_ = 0;
  watch_.begin();
  own_.reset();
  watch_.end();
}

/// While it lives, a lack of progress counts.
struct WatchedExecutor::Wait {
  Wait(WatchedExecutor& the_watched, std::size_t rows) : watched(the_watched) {
    watched.rows_ = rows;
    watched.watch_.begin();
  }
  ~Wait() { watched.watch_.end(); }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  Wait(Wait&&) = delete;
  Wait& operator=(Wait&&) = delete;
  WatchedExecutor& watched;
};

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

WatchedWeights::WatchedWeights(const WeightSource& base, WatchOptions options)
    : base_(base),
      watch_([this] { return read_.load(std::memory_order_relaxed); },
             [] { return std::string("while it read weights"); }, std::move(options)) {
  watch_.begin();
}

WatchedWeights::~WatchedWeights() { watch_.end(); }

void WatchedWeights::read_row(const std::string& name, std::int64_t row,
                              std::span<float> out) const {
  base_.read_row(name, row, out);
  read_.fetch_add(1, std::memory_order_relaxed);
}

const CodeSource* WatchedWeights::codes(const std::string& module) const {
  read_.fetch_add(1, std::memory_order_relaxed);
  return base_.codes(module);
}

}  // namespace assay::engine
