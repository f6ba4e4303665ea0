#include "engine/generators/http/client.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/tls.h"
#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/endpoint.h"
#include "engine/generators/http/job.h"
#include "engine/generators/http/timed_calls.h"

namespace assay::engine {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds kLook{100};  // between two looks at `stop_requested`
constexpr std::int64_t kNoLimit = std::int64_t{1} << 40;
constexpr std::size_t kKeptFaults = 8;  // of one request, for its record

std::int64_t to_ns(milliseconds time) { return std::chrono::nanoseconds(time).count(); }

/// How often waits are looked at: a fraction of the shortest that can end.
milliseconds tick_of(const HttpOptions& options) {
  const auto shortest = std::min({options.connect, options.first_byte, options.silence,
                                  options.first_wait * 2, options.health_interval * 2});
  return std::clamp(shortest / 8, milliseconds{2}, milliseconds{100});
}

}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(ClientOptions options)
      : options_(std::move(options)),
        tls_(asio::ssl::context::tls_client),
        network_{.io = &io_, .tls = &tls_, .options = &options_.http},
        work_(asio::make_work_guard(io_)),
        ticker_(io_),
        calls_(io_),
        budget_(options_.http),
        random_(static_cast<std::uint64_t>(monotonic_ns())) {
    verify_peers(tls_.native_handle(), options_.http.ca_file);
    if (options_.http.insecure) tls_.set_verify_mode(asio::ssl::verify_none);
    const std::int64_t most = options_.concurrency > 0 ? options_.concurrency : kNoLimit;
    for (const ServerAddress& server : options_.servers) {
      endpoints_.push_back(std::make_unique<Endpoint>(network_, server, most, options_.patient));
    }
    asio::co_spawn(io_, tick(), asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    asio::post(io_, [this] {
      closing_ = true;
      ticker_.cancel();
      calls_.close();
      stop_running();
      for (auto& endpoint : endpoints_) endpoint->close_idle();
      work_.reset();
    });
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  PlainReply ask(std::size_t server, const HttpCall& call) {
    std::promise<PlainReply> promise;
    std::future<PlainReply> future = promise.get_future();
    asio::co_spawn(io_, plain(*endpoints_[server], call),
                   [&](const std::exception_ptr& fault, PlainReply reply) {
                     if (fault) {
                       promise.set_exception(fault);
                     } else {
                       promise.set_value(std::move(reply));
                     }
                   });
    while (future.wait_for(kLook) != std::future_status::ready) {
      if (!options_.stop_requested || !options_.stop_requested()) continue;
      asio::post(io_, [this] { stop_running(); });
      break;
    }
    return future.get();
  }

  RequestHandle submit(Request request, std::shared_ptr<Listener> listener) {
    auto job = std::make_shared<Job>();
    job->request = std::move(request);
    job->listener = std::move(listener);
    job->times.scheduled_ns = monotonic_ns();
    const bool seen = io_.get_executor().running_in_this_thread() && looks_soon_;
    const std::lock_guard guard(inbox_lock_);
    job->handle = ++last_handle_;
    if (inbox_.empty() && !seen) asio::post(io_, [this] { take_inbox(); });
    inbox_.push_back(std::move(job));
    return last_handle_;
  }

  void call_at(std::int64_t at_ns, std::function<void()> call) {
    asio::dispatch(io_, [this, at_ns, call = std::move(call)]() mutable {
      calls_.add(at_ns, [this, call = std::move(call)] { listen([&] { call(); }); });
    });
  }

  void cancel(RequestHandle handle) {
    asio::post(io_, [this, handle] {
      take_inbox();  // it may still be there
      const auto found = jobs_.find(handle);
      if (found == jobs_.end()) return;
      const std::shared_ptr<Job> job = found->second;
      job->cancelled = true;
      jobs_.erase(found);
      if (job->running != nullptr) job->running->stop(false);
    });
  }

  std::string lost() const {
    const std::lock_guard guard(inbox_lock_);
    return lost_;
  }

  ServerTraits traits;
  ModelInfo info;

 private:
  void take_inbox() {
    std::vector<std::shared_ptr<Job>> arrived;
    {
      const std::lock_guard guard(inbox_lock_);
      arrived.swap(inbox_);
    }
    const std::string lost_text = lost();
    for (std::shared_ptr<Job>& job : arrived) {
      jobs_.emplace(job->handle, job);
      if (!lost_text.empty()) {
        finish_with_error(job, lost_text);
        continue;
      }
      const std::string reason = refusal(job->request, traits);
      if (!reason.empty()) {
        finish_with_error(job, "cannot be asked of this server: " + reason);
        continue;
      }
      prepare(*job);
      ready_.push_back(std::move(job));
    }
    pump();
  }

  void prepare(Job& job) {
    DialogueOptions dialogue{.stream = options_.http.stream, .deltas = {}};
    if (!options_.patient) {
      dialogue.deltas = [&job](const Delta& delta) {
        if (!job.cancelled) job.listener->on_delta(delta);
      };
    }
    job.dialogue = make_dialogue(job.request, traits, std::move(dialogue));
  }

  /// Gives out what waits, as far as servers have room.
  void pump() {
    const std::int64_t now = monotonic_ns();
    while (!ready_.empty() && !closing_) {
      if (ready_.front()->cancelled) {
        ready_.pop_front();
        continue;
      }
      Endpoint* endpoint = choose(*ready_.front(), now);
      if (endpoint == nullptr) return;
      const std::shared_ptr<Job> job = std::move(ready_.front());
      ready_.pop_front();
      endpoint->begin();
      budget_.on_request(now);
      asio::co_spawn(io_, attempt(job, *endpoint), asio::detached);
    }
  }

  /// The least loaded with room; the one that just failed it only if there is no other.
  Endpoint* choose(const Job& job, std::int64_t now) const {
    Endpoint* best = nullptr;
    for (const auto& endpoint : endpoints_) {
      if (!endpoint->has_room(now)) continue;
      const auto rank = [&](const Endpoint& e) { return std::pair(&e == job.failed_on, e.load()); };
      if (best == nullptr || rank(*endpoint) < rank(*best)) best = endpoint.get();
    }
    return best;
  }

  asio::awaitable<void> attempt(std::shared_ptr<Job> job, Endpoint& endpoint) {
    Running running;
    const HttpOptions& http = options_.http;
    running.watch.over_ns = monotonic_ns() + to_ns(http.request_base) +
                            to_ns(http.request_per_token) * job->request.sampling.max_tokens;
    enter(running);
    job->running = &running;
    ++job->served.attempts;
    std::unique_ptr<ServerConnection> connection;
    std::optional<Fault> fault;
    try {
      while (!job->dialogue->done()) {
        co_await one_call(*job, endpoint, connection, running);
      }
    } catch (const Fault& thrown) {
      fault = thrown;
    } catch (const Error& error) {
      fault = Fault(FaultKind::kFatal, error.what());
    }
    leave(running);
    job->running = nullptr;
    endpoint.end(std::move(connection));
    if (closing_) co_return;
    listen([&] {
      if (!fault) {
        endpoint.on_success();
        answered(job, endpoint);
      } else {
        failed(job, endpoint, *fault);
      }
    });
  }

  /// Runs what may submit requests, then sends them: no post to this same thread for each.
  template <typename Call>
  void listen(Call&& call) {
    looks_soon_ = true;
    call();
    looks_soon_ = false;
    take_inbox();
  }

  asio::awaitable<void> one_call(Job& job, Endpoint& endpoint,
                                 std::unique_ptr<ServerConnection>& connection, Running& running) {
    const HttpCall call = job.dialogue->call();
    const std::string text = endpoint.address().request_text(call);
    for (bool fresh = false;; fresh = true) {
      if (!connection || !connection->reusable()) connection = endpoint.acquire(fresh);
      running.connection = connection.get();
      if (running.watch.dropped) throw Fault(FaultKind::kConnection, "not wanted any more");
      if (!connection->reusable()) co_await connection->open(running.watch);
      JobSink sink(*job.dialogue, job.times.sent_ns);
      try {
        co_await connection->exchange(text, sink, call.max_reply, running.watch);
        sink.check();
      } catch (const Fault& fault) {
        // The server had closed a kept connection: nothing was tried.
        if (!fault.stale || fresh || running.watch.expired || running.watch.dropped) throw;
        continue;
      }
      job.dialogue->end(monotonic_ns());
      co_return;
    }
  }

  asio::awaitable<PlainReply> plain(Endpoint& endpoint, HttpCall call) {
    Running running;
    running.watch.over_ns = monotonic_ns() + to_ns(options_.http.request_base);
    ServerConnection connection(network_, endpoint.address());
    running.connection = &connection;
    enter(running);
    PlainSink sink;
    std::exception_ptr fault;
    try {
      co_await connection.open(running.watch);
      co_await connection.exchange(endpoint.address().request_text(call), sink, call.max_reply,
                                   running.watch);
    } catch (...) {
      fault = std::current_exception();
    }
    leave(running);
    if (fault) std::rethrow_exception(fault);
    co_return std::move(sink.reply);
  }

  void answered(const std::shared_ptr<Job>& job, const Endpoint& endpoint) {
    if (job->cancelled) return;
    Completion completion = job->dialogue->finish();
    completion.times = job->times;
    completion.times.first_ns = job->dialogue->first_ns();
    completion.times.last_ns = job->dialogue->last_ns();
    job->served.endpoint = endpoint.address().name();
    job->served.model = std::move(completion.served.model);
    job->served.fingerprint = std::move(completion.served.fingerprint);
    finish(job, std::move(completion));
  }

  void failed(const std::shared_ptr<Job>& job, Endpoint& endpoint, const Fault& fault) {
    if (job->cancelled) return;
    const std::int64_t now = monotonic_ns();
    const milliseconds own = jittered_wait(options_.http, job->served.attempts, random_);
    milliseconds wait = fault.retry_after.value_or(own);
    endpoint.on_fault(fault, job->times.sent_ns, now, wait);
    job->served.endpoint = endpoint.address().name();
    if (job->served.faults.size() < kKeptFaults) job->served.faults.push_back(fault.text);
    job->failed_on = &endpoint;
    job->told = fault.retry_after.has_value();
    const bool elsewhere = another_is_up(endpoint);
    if (std::all_of(endpoints_.begin(), endpoints_.end(),
                    [](const auto& e) { return e->refused(); })) {
      lose(endpoint.address().name() + ": " + fault.text);
    }
    if (elsewhere && (fault.kind == FaultKind::kConnection || fault.kind == FaultKind::kFatal)) {
      wait = milliseconds{0};
    }
    const bool again = options_.patient && !job->dialogue->visible();
    const std::string why_not =
        why_not_again(options_.http, *job, fault, again, elsewhere, wait, now);
    if (!why_not.empty() || jobs_.find(job->handle) == jobs_.end()) {
      finish_with_error(job, endpoint.address().name() + ": " + fault.text + why_not);
      return;
    }
    job->waiting_since_ns = now;
    delayed_.emplace(now + to_ns(wait), job);
  }

  bool another_is_up(const Endpoint& endpoint) const {
    return std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& other) {
      return other.get() != &endpoint && other->up() && !other->refused();
    });
  }

  void finish_with_error(const std::shared_ptr<Job>& job, std::string reason) {
    Completion completion;
    completion.times = job->times;
    completion.error = std::move(reason);
    finish(job, std::move(completion));
  }

  void finish(const std::shared_ptr<Job>& job, Completion completion) {
    if (jobs_.erase(job->handle) == 0) return;
    completion.served = std::move(job->served);
    job->listener->on_done(std::move(completion));
  }

  /// Everything ends with this error, now and from now on.
  void lose(const std::string& reason) {
    {
      const std::lock_guard guard(inbox_lock_);
      if (!lost_.empty()) return;
      lost_ = reason;
    }
    const auto jobs = jobs_;
    for (const auto& [handle, job] : jobs) {
      if (job->running == nullptr) finish_with_error(job, reason);
    }
    ready_.clear();
    delayed_.clear();
  }

  void stop_running() {
    for (Running* running : std::vector(running_)) running->stop(false);
  }

  void enter(Running& running) {
    running.place = running_.size();
    running_.push_back(&running);
    if (closing_) running.watch.dropped = true;
  }
  void leave(Running& running) {
    running_[running.place] = running_.back();
    running_[running.place]->place = running.place;
    running_.pop_back();
  }

  asio::awaitable<void> tick() {
    const milliseconds interval = tick_of(options_.http);
    while (!closing_) {
      ticker_.expires_after(interval);
      co_await ticker_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (closing_) break;
      const std::int64_t now = monotonic_ns();
      for (Running* running : std::vector(running_)) {
        const Watch& watch = running->watch;
        if ((watch.until_ns != 0 && now > watch.until_ns) || now > watch.over_ns) {
          running->stop(true);
        }
      }
      take_due(now);
      look_after(now);
      pump();
    }
  }

  /// Moves what has waited long enough back to the queue, as far as the budget of repeats goes.
  void take_due(std::int64_t now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      const std::shared_ptr<Job> job = delayed_.begin()->second;
      if (!job->cancelled) {
        if (!job->told && !budget_.take(now)) {
          if (!std::exchange(budget_spent_, true)) {
            log_warning("too many requests fail; repeats are slowed down");
          }
          return;
        }
        job->served.waited_ns += now - job->waiting_since_ns;
        ready_.push_front(job);
      }
      delayed_.erase(delayed_.begin());
    }
    if (delayed_.empty()) budget_spent_ = false;
  }

  /// Servers that are down, and the end when all of them are for too long.
  void look_after(std::int64_t now) {
    if (!options_.patient) return;
    bool any_up = false;
    for (const auto& endpoint : endpoints_) {
      any_up = any_up || (endpoint->up() && !endpoint->refused());
      if (endpoint->wants_check(now, to_ns(options_.http.health_interval))) {
        asio::co_spawn(io_, check(*endpoint), asio::detached);
      }
    }
    if (any_up) {
      all_down_since_ns_ = 0;
    } else if (all_down_since_ns_ == 0) {
      all_down_since_ns_ = now;
    } else if (now - all_down_since_ns_ > to_ns(options_.http.all_down)) {
      lose(fmt::format("no server answered for {} ms: {}: {}", options_.http.all_down.count(),
                       endpoints_.front()->address().name(), endpoints_.front()->last_fault()));
    }
  }

  asio::awaitable<void> check(Endpoint& endpoint) {
    bool alive = false;
    try {
      // Named, because GCC 12 destroys a temporary argument of a coroutine twice.
      HttpCall call{.path = "/models", .body = "", .stream = false};
      const PlainReply reply = co_await plain(endpoint, std::move(call));
      alive = reply.status < 500;
    } catch (const Fault&) {  // NOLINT(bugprone-empty-catch): it stays down
    }
    endpoint.on_check(alive);
  }

  ClientOptions options_;
  asio::io_context io_{1};
  asio::ssl::context tls_;
  Network network_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer ticker_;
  TimedCalls calls_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  RetryBudget budget_;
  SplitMix64 random_;
  std::unordered_map<RequestHandle, std::shared_ptr<Job>> jobs_;  // not finished
  std::deque<std::shared_ptr<Job>> ready_;
  std::multimap<std::int64_t, std::shared_ptr<Job>> delayed_;  // by when they are due
  std::vector<Running*> running_;
  std::int64_t all_down_since_ns_ = 0;
  bool budget_spent_ = false;
  bool closing_ = false;
  bool looks_soon_ = false;  // into the inbox, before it waits for anything

  mutable std::mutex inbox_lock_;  // guards the three below
  std::vector<std::shared_ptr<Job>> inbox_;
  RequestHandle last_handle_ = 0;
  std::string lost_;

  std::thread thread_;
};

HttpClient::HttpClient(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpClient::~HttpClient() = default;

PlainReply HttpClient::ask(std::size_t server, const HttpCall& call) {
  return impl_->ask(server, call);
}
void HttpClient::set_model(ServerTraits traits, ModelInfo info) {
  impl_->traits = std::move(traits);
  impl_->info = std::move(info);
}
const ServerTraits& HttpClient::traits() const { return impl_->traits; }
const ModelInfo& HttpClient::info() const { return impl_->info; }
RequestHandle HttpClient::submit(Request request, std::shared_ptr<Listener> listener) {
  return impl_->submit(std::move(request), std::move(listener));
}
void HttpClient::cancel(RequestHandle handle) { impl_->cancel(handle); }
bool HttpClient::call_at(std::int64_t at_ns, std::function<void()> call) {
  impl_->call_at(at_ns, std::move(call));
  return true;
}
std::string HttpClient::lost() const { return impl_->lost(); }

}  // namespace assay::engine
