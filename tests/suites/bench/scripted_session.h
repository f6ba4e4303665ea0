// A session with a virtual clock: a model of a server whose token times are known exactly.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/session.h"
#include "suites/bench/clock.h"

namespace assay::suites {

/// Time moves only when the load generator waits; events are run on its thread, in order.
class VirtualTime : public LoadClock {
 public:
  [[nodiscard]] std::int64_t now_ns() const override { return now_; }
  void sleep_until(std::int64_t deadline) override {
    while (!events_.empty() && events_.begin()->first <= deadline) step();
    now_ = std::max(now_, deadline);
  }
  void wait(std::int64_t deadline, const std::function<bool()>& done) override {
    while (!done()) {
      if (events_.empty() || events_.begin()->first > deadline) {
        now_ = std::max(now_, deadline);
        return;
      }
      step();
    }
  }
  void wake() override {}
  void at(std::int64_t when, std::function<void()> event) {
    events_.emplace(std::max(when, now_), std::move(event));
  }

 private:
  void step() {
    auto first = events_.begin();
    now_ = std::max(now_, first->first);
    const std::function<void()> event = std::move(first->second);
    events_.erase(first);
    event();
  }
  std::int64_t now_ = 1'000'000'000;
  std::multimap<std::int64_t, std::function<void()>> events_;
};

/// Token times of one request, from when the server begins with it: {offset in ns, tokens}.
using TokenScript = std::vector<std::pair<std::int64_t, std::int64_t>>;

struct ScriptedServer {
  std::function<TokenScript(std::int64_t number)> script;
  std::int64_t slots = 1 << 20;   // requests it works on at once; others queue
  std::int64_t stall_begin = -1;  // in this time, from the clock's start, it begins with nothing
  std::int64_t stall_end = -1;
  std::function<bool(std::int64_t number)> fails;  // answered with an error
  std::function<bool(std::int64_t number)> hangs;  // never answered
  bool keeps_times = false;                        // calls at given times
};

class ScriptedSession : public engine::Session {
 public:
  ScriptedSession(VirtualTime& time, ScriptedServer server)
      : time_(time), server_(std::move(server)), origin_(time.now_ns()) {}
  [[nodiscard]] const engine::ModelInfo& info() const override { return info_; }

  engine::RequestHandle submit(engine::Request request,
                               std::shared_ptr<engine::Listener> listener) override {
    const std::int64_t number = submitted_++;
    queue_.push_back({number, std::move(request), std::move(listener)});
    time_.at(time_.now_ns(), [this] { begin_next(); });
    return static_cast<engine::RequestHandle>(number);
  }
  void cancel(engine::RequestHandle handle) override { cancelled.push_back(handle); }
  bool call_at(std::int64_t at_ns, std::function<void()> call) override {
    if (server_.keeps_times) time_.at(at_ns, std::move(call));
    return server_.keeps_times;
  }

  std::vector<engine::RequestHandle> cancelled;
  std::int64_t most_busy = 0;

 private:
  struct Job {
    std::int64_t number;
    engine::Request request;
    std::shared_ptr<engine::Listener> listener;
  };

  void begin_next() {
    if (queue_.empty() || busy_ >= server_.slots) return;
    const std::int64_t now = time_.now_ns() - origin_;
    if (now >= server_.stall_begin && now < server_.stall_end) {
      time_.at(origin_ + server_.stall_end, [this] { begin_next(); });
      return;
    }
    Job job = std::move(queue_.front());
    queue_.pop_front();
    most_busy = std::max(most_busy, ++busy_);
    if (server_.hangs && server_.hangs(job.number)) return;
    const TokenScript script = server_.script(job.number);
    const std::int64_t begin = time_.now_ns();
    for (const auto& [offset, tokens] : script) {
      time_.at(begin + offset, [this, listener = job.listener, tokens = tokens] {
        listener->on_delta({.tokens = tokens, .at_ns = time_.now_ns()});
      });
    }
    const std::int64_t end = script.empty() ? begin : begin + script.back().first;
    time_.at(end, [this, job, script] { finish(job, script); });
  }

  void finish(const Job& job, const TokenScript& script) {
    --busy_;
    engine::Completion completion;
    completion.finish_reason = engine::FinishReason::kLength;
    if (server_.fails && server_.fails(job.number)) {
      completion.finish_reason = engine::FinishReason::kError;
      completion.error = "scripted failure";
      completion.times.last_ns = time_.now_ns();
    }
    completion.prompt_ids = job.request.prompt.ids;
    for (const auto& [offset, tokens] : script) {
      completion.ids.resize(completion.ids.size() + static_cast<std::size_t>(tokens));
    }
    job.listener->on_done(std::move(completion));
    begin_next();
  }

  VirtualTime& time_;
  ScriptedServer server_;
  std::int64_t origin_;
  engine::ModelInfo info_{.name = "scripted",
                          .digest = "0",
                          .parameters = 1000,
                          .weight_bytes = 1000,
                          .context = 4096,
                          .setting = "fp8",
                          .kv = "bf16",
                          .device = "cpu",
                          .arithmetic = "scripted"};
  std::deque<Job> queue_;
  std::int64_t busy_ = 0;
  std::int64_t submitted_ = 0;
};

}  // namespace assay::suites
