// A session that answers at once, on a thread of its own, with the machine's clock.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/session.h"

namespace assay::test {

/// Answers each request with one token as soon as its thread has it.
class InstantSession : public engine::Session {
 public:
  InstantSession() : thread_([this] { work(); }) {}
  ~InstantSession() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  InstantSession(const InstantSession&) = delete;
  InstantSession& operator=(const InstantSession&) = delete;
  InstantSession(InstantSession&&) = delete;
  InstantSession& operator=(InstantSession&&) = delete;
  [[nodiscard]] const engine::ModelInfo& info() const override { return info_; }
  engine::RequestHandle submit(engine::Request /*request*/,
                               std::shared_ptr<engine::Listener> listener) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(listener));
    }
    wake_.notify_one();
    return ++handles_;
  }
  void cancel(engine::RequestHandle /*handle*/) override {}

 private:
  void work() {
    std::vector<std::shared_ptr<engine::Listener>> batch;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (stop_) return;
        batch.swap(queue_);
      }
      for (const auto& listener : batch) {
        listener->on_delta({.tokens = 1, .at_ns = monotonic_ns()});
        engine::Completion completion;
        completion.finish_reason = engine::FinishReason::kLength;
        listener->on_done(std::move(completion));
      }
      batch.clear();
    }
  }
  engine::ModelInfo info_{.name = "instant",
                          .digest = "0",
                          .parameters = 1000,
                          .weight_bytes = 1000,
                          .context = 4096,
                          .setting = "instant",
                          .kv = "bf16",
                          .device = "test",
                          .arithmetic = "instant"};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<engine::Listener>> queue_;
  engine::RequestHandle handles_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace assay::test
