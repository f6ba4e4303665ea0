#include "engine/generators/local.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/clock.h"
#include "engine/generators/local_model.h"
#include "engine/generators/request_loop.h"

namespace assay::engine {
namespace {

constexpr std::size_t kRequestBlock = 1024;  // requests prepared at a time

/// Sends a completion on under the number of its request.
class NumberedListener : public Listener {
 public:
  NumberedListener(std::size_t index, const CompletionSink& sink, bool& go_on)
      : index_(index), sink_(sink), go_on_(go_on) {}
  void on_delta(const Delta&) override {}
  void on_done(Completion completion) override {
    if (go_on_) go_on_ = sink_(index_, std::move(completion));
  }

 private:
  std::size_t index_;
  const CompletionSink& sink_;
  bool& go_on_;
};

class LocalGenerator : public Generator {
 public:
  LocalGenerator(std::unique_ptr<LocalModel> model, std::function<bool()> stopped)
      : model_(std::move(model)), loop_(*model_), stopped_(std::move(stopped)) {}

  const ModelInfo& info() const override { return model_->info; }

  void run(std::span<const Request> requests, const CompletionSink& sink) override {
    // Whatever ends this call leaves nothing in flight behind.
    struct Clearing {
      RequestLoop& loop;
      ~Clearing() { loop.clear(); }
    };
    const Clearing clearing{loop_};
    bool go_on = true;
    for (std::size_t first = 0; go_on && first < requests.size(); first += kRequestBlock) {
      const std::size_t end = std::min(first + kRequestBlock, requests.size());
      std::vector<IncomingRequest> block;
      for (std::size_t i = first; i < end; ++i) {
        block.push_back({.handle = i,
                         .request = requests[i],
                         .listener = std::make_shared<NumberedListener>(i, sink, go_on),
                         .submitted_ns = monotonic_ns()});
      }
      loop_.submit(std::move(block));
      while (go_on && loop_.step()) {
        if (stopped_ && stopped_()) go_on = false;
      }
    }
  }

 private:
  std::unique_ptr<LocalModel> model_;
  RequestLoop loop_;
  std::function<bool()> stopped_;
};

class LocalSession : public Session {
 public:
  explicit LocalSession(std::unique_ptr<LocalModel> model)
      : model_(std::move(model)), loop_(*model_), thread_([this] { work(); }) {}

  ~LocalSession() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  LocalSession(const LocalSession&) = delete;
  LocalSession& operator=(const LocalSession&) = delete;
  LocalSession(LocalSession&&) = delete;
  LocalSession& operator=(LocalSession&&) = delete;

  const ModelInfo& info() const override { return model_->info; }
  const PromptEncoder* encoder() const override { return model_->encoder.get(); }

  RequestHandle submit(Request request, std::shared_ptr<Listener> listener) override {
    RequestHandle handle = 0;
    {
      const std::lock_guard lock(mutex_);
      handle = ++last_handle_;
      inbox_.emplace_back(IncomingRequest{.handle = handle,
                                          .request = std::move(request),
                                          .listener = std::move(listener),
                                          .submitted_ns = monotonic_ns()});
    }
    wake_.notify_one();
    return handle;
  }

  void cancel(RequestHandle handle) override {
    {
      const std::lock_guard lock(mutex_);
      inbox_.emplace_back(handle);
    }
    wake_.notify_one();
  }

  std::string lost() const override {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

 private:
  using Message = std::variant<IncomingRequest, RequestHandle>;  // the latter is to be cancelled

  /// What came in; waits for it where nothing is in flight. Nothing when the session ends.
  bool receive(std::vector<Message>& messages, bool busy) {
    std::unique_lock lock(mutex_);
    if (!busy) wake_.wait(lock, [this] { return stop_ || !inbox_.empty(); });
    messages.swap(inbox_);
    return !stop_;
  }

  void work() {
    bool busy = false;
    std::vector<Message> messages;
    while (receive(messages, busy)) {
      try {
        for (Message& message : messages) handle(message);
        busy = lost_.empty() && loop_.step();
      } catch (const std::exception& error) {
        lose(error.what());
        busy = false;
      }
      messages.clear();
    }
    loop_.clear();
  }

  void handle(Message& message) {
    if (const auto* handle = std::get_if<RequestHandle>(&message)) {
      loop_.cancel(*handle);
      return;
    }
    std::vector<IncomingRequest> one;
    one.push_back(std::move(std::get<IncomingRequest>(message)));
    loop_.submit(std::move(one));
    if (!lost_.empty()) loop_.fail(lost_);
  }

  void lose(const std::string& reason) {
    {
      const std::lock_guard lock(mutex_);
      lost_ = reason;
    }
    loop_.fail(reason);
  }

  std::unique_ptr<LocalModel> model_;
  RequestLoop loop_;          // of the thread
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<Message> inbox_;
  RequestHandle last_handle_ = 0;
  bool stop_ = false;
  std::string lost_;  // written by the thread alone
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Generator> make_local_generator(const EngineOptions& options) {
  return std::make_unique<LocalGenerator>(load_local_model(options), options.stop_requested);
}

std::unique_ptr<Session> make_local_session(const EngineOptions& options) {
  return std::make_unique<LocalSession>(load_local_model(options));
}

}  // namespace assay::engine
