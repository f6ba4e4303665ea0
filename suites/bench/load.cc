#include "suites/bench/load.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "suites/interrupt.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kMostTokens = 1 << 24;  // of one answer: a larger count is not believed

class LoadRun;

/// Collects the times of one request.
class TimingListener : public engine::Listener {
 public:
  TimingListener(std::shared_ptr<LoadRun> run, std::int64_t scheduled_ns, bool chunks)
      : run_(std::move(run)), keep_chunks_(chunks) {
    timing_.scheduled_ns = scheduled_ns;
  }

  void set_sent(std::int64_t at_ns) {
    const std::lock_guard lock(mutex_);
    timing_.sent_ns = at_ns;
  }
  void on_delta(const engine::Delta& delta) override;
  void on_done(engine::Completion completion) override;
  /// The timing as it stands; what is reported later is ignored.
  RequestTiming take() {
    const std::lock_guard lock(mutex_);
    run_ = nullptr;
    return std::move(timing_);
  }

 private:
  std::mutex mutex_;  // guards all: a request may be given up while it answers
  std::shared_ptr<LoadRun> run_;
  bool keep_chunks_;
  RequestTiming timing_;
};

/// One run. The thread that called run_load and the session's thread share it under one lock. A
/// late report may outlive the call of run_load: once `stopped_` is set, nothing outside is touched
/// any more.
class LoadRun : public std::enable_shared_from_this<LoadRun> {
 public:
  LoadRun(engine::Session& session, const RequestMaker& make, const LoadPlan& plan,
          LoadClock& clock)
      : session_(session), make_(make), plan_(plan), clock_(clock) {}

  LoadResult run() {
    const bool open = plan_.arrivals == Arrivals::kPoisson || plan_.arrivals == Arrivals::kConstant;
    if (open) {
      run_open();
    } else {
      run_slots(plan_.arrivals == Arrivals::kBurst ? plan_.requests : plan_.concurrency);
    }
    drain();
    return result();
  }

  /// A request is over: its slot takes the next one. On the session's thread.
  void finished(std::int64_t at_ns) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    --in_flight_;
    if (!waiting_.empty()) {
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      send(std::move(next.first), next.second);
    } else if (plan_.arrivals == Arrivals::kClosed && more(at_ns)) {
      engine::Request request = make_(std::ssize(listeners_));
      send(std::move(request), add_listener(at_ns));
    }
    if (in_flight_ == 0 && arrived_ == schedule_.size()) clock_.wake();
  }

 private:
  using Waiting = std::pair<engine::Request, std::shared_ptr<TimingListener>>;

  // The following are called under the lock.

  [[nodiscard]] bool more(std::int64_t now_ns) const {
    return (plan_.requests == 0 || std::ssize(listeners_) < plan_.requests) && now_ns < stop_ns_;
  }

  std::shared_ptr<TimingListener> add_listener(std::int64_t scheduled_ns) {
    listeners_.push_back(
        std::make_shared<TimingListener>(shared_from_this(), scheduled_ns, plan_.keep_chunks));
    last_start_ns_ = scheduled_ns;
    return listeners_.back();
  }

  void send(engine::Request request, const std::shared_ptr<TimingListener>& listener) {
    ++in_flight_;
    listener->set_sent(clock_.now_ns());
    handles_.push_back(session_.submit(std::move(request), listener));
  }

  /// The made request is due: it is sent, or waits where only so many may be in flight.
  void arrive(std::size_t request) {
    const std::shared_ptr<TimingListener> listener = add_listener(due(request));
    ++arrived_;
    if (plan_.most_in_flight > 0 && in_flight_ >= plan_.most_in_flight) {
      waiting_.emplace_back(std::move(next_), listener);
    } else {
      send(std::move(next_), listener);
    }
  }

  // The following are called by the thread that called run_load, but for arrive_there.

  void begin() {
    begin_ns_ = clock_.now_ns();
    stop_ns_ = plan_.duration_s > 0 ? begin_ns_ + static_cast<std::int64_t>(plan_.duration_s * 1e9)
                                    : INT64_MAX;
    last_start_ns_ = begin_ns_;
  }

  [[nodiscard]] std::int64_t due(std::size_t request) const {
    return begin_ns_ + schedule_[request];
  }

  /// The session's thread keeps the schedule where it can: then the one that waits for answers
  /// sends the next request too, and no thread wakes another. Else this one does.
  void run_open() {
    constexpr double kForever = 1e9;  // seconds: the number of requests ends it
    schedule_ = arrival_schedule(plan_.arrivals, plan_.rate_per_s,
                                 plan_.duration_s > 0 ? plan_.duration_s : kForever, plan_.requests,
                                 plan_.seed);
    if (!schedule_.empty()) next_ = make_(0);
    begin();
    if (schedule_.empty()) return;
    if (session_.call_at(due(0), [self = shared_from_this()] { self->arrive_there(); })) {
      clock_.wait(INT64_MAX, [&] { return all_arrived() || interrupted(); });
      return;
    }
    for (std::size_t i = 0; i < schedule_.size(); ++i) {
      clock_.sleep_until(due(i));
      if (interrupted()) break;
      dispatch(i);
      // The next request is made while there is time, not when it is due.
      if (i + 1 < schedule_.size()) next_ = make_(static_cast<std::int64_t>(i) + 1);
    }
  }

  void dispatch(std::size_t request) {
    const std::lock_guard lock(mutex_);
    arrive(request);
  }

  [[nodiscard]] bool all_arrived() {
    const std::lock_guard lock(mutex_);
    return arrived_ == schedule_.size();
  }

  /// On the session's thread. The lock is held also while a request is made, as the caller of
  /// run_load may be giving up.
  void arrive_there() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (!interrupted()) arrive(arrived_);
    if (interrupted() || arrived_ == schedule_.size()) {
      clock_.wake();
    } else {
      // A call of its own, so that making the next request does not hold up the sending of this.
      session_.call_at(clock_.now_ns(), [self = shared_from_this()] { self->prepare_there(); });
    }
  }

  void prepare_there() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    next_ = make_(static_cast<std::int64_t>(arrived_));
    session_.call_at(due(arrived_), [self = shared_from_this()] { self->arrive_there(); });
  }

  /// Fills the slots; each answer starts the next request of a closed loop.
  void run_slots(std::int64_t slots) {
    std::vector<engine::Request> first;
    for (std::int64_t i = 0; i < slots && (plan_.requests == 0 || i < plan_.requests); ++i) {
      first.push_back(make_(i));
    }
    const std::lock_guard lock(mutex_);
    begin();
    std::vector<std::shared_ptr<TimingListener>> listeners;
    for (std::size_t i = 0; i < first.size(); ++i) listeners.push_back(add_listener(begin_ns_));
    for (std::size_t i = 0; i < first.size(); ++i) send(std::move(first[i]), listeners[i]);
  }

  [[nodiscard]] bool idle() {
    const std::lock_guard lock(mutex_);
    return in_flight_ == 0 && waiting_.empty();
  }

  [[nodiscard]] std::int64_t drain_deadline() {
    const std::lock_guard lock(mutex_);
    const bool goes_on = plan_.arrivals == Arrivals::kClosed && stop_ns_ != INT64_MAX;
    const std::int64_t last = goes_on ? std::max(stop_ns_, last_start_ns_) : last_start_ns_;
    return last + static_cast<std::int64_t>(plan_.drain_s * 1e9);
  }

  void drain() {
    // A closed loop goes on starting requests meanwhile: the deadline moves with the last one.
    for (;;) {
      const std::int64_t deadline = drain_deadline();
      clock_.wait(deadline, [&] { return idle(); });
      if (idle() || interrupted() || deadline == drain_deadline()) break;
    }
    std::vector<engine::RequestHandle> open;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      if (in_flight_ > 0) open = handles_;
    }
    for (const engine::RequestHandle handle : open) session_.cancel(handle);  // done: ignored
  }

  LoadResult result() {
    LoadResult out{.begin_ns = begin_ns_,
                   .last_start_ns = last_start_ns_,
                   .end_ns = clock_.now_ns(),
                   .interrupted = interrupted()};
    for (const auto& listener : listeners_) out.requests.push_back(listener->take());
    return out;
  }

  engine::Session& session_;
  const RequestMaker& make_;
  const LoadPlan& plan_;
  LoadClock& clock_;
  std::int64_t begin_ns_ = 0;
  std::int64_t stop_ns_ = INT64_MAX;    // set before the first request is sent
  std::vector<std::int64_t> schedule_;  // of an open loop, from begin_ns_; the same
  engine::Request next_;  // made before it is due; used by the one thread that keeps the schedule
  std::mutex mutex_;      // guards everything below until stopped_
  std::size_t arrived_ = 0;  // requests of the schedule that have come due
  std::vector<std::shared_ptr<TimingListener>> listeners_;
  std::vector<engine::RequestHandle> handles_;
  std::deque<Waiting> waiting_;
  std::int64_t in_flight_ = 0;
  std::int64_t last_start_ns_ = 0;
  bool stopped_ = false;
};

void TimingListener::on_delta(const engine::Delta& delta) {
  const std::lock_guard lock(mutex_);
  if (run_ == nullptr || delta.tokens <= 0) return;
  if (timing_.first_ns == 0) timing_.first_ns = delta.at_ns;
  timing_.last_ns = delta.at_ns;
  timing_.output_tokens += delta.tokens;
  if (keep_chunks_) timing_.chunks.push_back({delta.at_ns, delta.tokens});
}

void TimingListener::on_done(engine::Completion completion) {
  std::shared_ptr<LoadRun> run;
  std::int64_t ended = 0;
  {
    const std::lock_guard lock(mutex_);
    if (run_ == nullptr) return;
    run = run_;
    RequestTiming& t = timing_;
    if (completion.finish_reason == engine::FinishReason::kError) {
      t.outcome = RequestOutcome::kError;
      t.error = std::move(completion.error);
    } else {
      t.outcome = RequestOutcome::kDone;
    }
    // The model's own count and times where it tells them: text may be held back for a while, and
    // a chunk's tokens are a guess where a server tells no ids.
    const std::int64_t told = std::max(completion.output_tokens, std::ssize(completion.ids));
    if (told > 0 && told <= kMostTokens) {
      if (!t.chunks.empty() && told > t.output_tokens) {
        t.chunks.back().tokens += told - t.output_tokens;
      }
      t.output_tokens = told;
    }
    if (completion.times.first_ns > 0) t.first_ns = completion.times.first_ns;
    if (completion.times.last_ns > 0) t.last_ns = completion.times.last_ns;
    ended = completion.times.last_ns > 0 ? completion.times.last_ns : t.last_ns;
    // An error has no last token, and the session may not tell when it was known.
    if (ended == 0 || (t.outcome == RequestOutcome::kError && completion.times.last_ns == 0)) {
      ended = monotonic_ns();
    }
    t.ended_ns = ended;
    if (t.last_ns == 0) t.last_ns = ended;
    t.input_tokens = std::max(completion.prompt_tokens, std::ssize(completion.prompt_ids));
    t.cached_tokens = completion.cached_prompt_tokens;
  }
  run->finished(ended);
}

}  // namespace

LoadResult run_load(engine::Session& session, const RequestMaker& make, const LoadPlan& plan,
                    LoadClock& clock) {
  const bool open = plan.arrivals == Arrivals::kPoisson || plan.arrivals == Arrivals::kConstant;
  ASSAY_CHECK(plan.requests > 0 || plan.duration_s > 0, "a load without an end");
  ASSAY_CHECK(!open || plan.rate_per_s > 0, "an open loop without a rate");
  ASSAY_CHECK(open || plan.arrivals == Arrivals::kBurst || plan.concurrency > 0, "no slots");
  LoadResult out = std::make_shared<LoadRun>(session, make, plan, clock)->run();
  if (const std::string lost = session.lost(); !lost.empty()) throw_environment("{}", lost);
  return out;
}

}  // namespace assay::suites
