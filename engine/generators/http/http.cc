#include "engine/generators/http/http.h"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/generators/http/client.h"
#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/probe.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kDefaultConcurrency = 32;
constexpr std::uint64_t kMaxKeyBytes = 16 << 10;
constexpr std::chrono::milliseconds kLook{100};  // between two looks at `stop_requested`

/// From the file, else ASSAY_API_KEY, else OPENAI_API_KEY; "" for none.
std::string read_key(const HttpOptions& options) {
  std::string key;
  std::string source = options.api_key_file;
  if (!options.api_key_file.empty()) {
    key = trim_ascii(read_file(options.api_key_file, kMaxKeyBytes));
    if (key.empty()) throw_input("{}: has no key", escaped(source, 400));
  } else {
    for (const char* name : {"ASSAY_API_KEY", "OPENAI_API_KEY"}) {
      const char* value = std::getenv(name);
      if (!key.empty() || value == nullptr) continue;
      key = trim_ascii(value);
      source = name;
    }
  }
  for (const char c : key) {
    if (c <= ' ' || c > '~') throw_input("{}: a key has no blanks or control characters", source);
  }
  keep_secret(key);
  return key;
}

std::vector<ServerAddress> server_addresses(const EngineOptions& options) {
  const std::string key = read_key(options.http);
  std::vector<ServerAddress> out;
  for (const Url& url : parse_addresses(options.model)) {
    ServerAddress server{.url = url, .proxy = proxy_for(url), .key = key};
    if (!key.empty() && !url.tls && !is_loopback(url.host) && !options.http.key_without_tls) {
      log_warning("{}: the key is not sent over plain http; use https, or --key-without-tls",
                  server.name());
      server.key.clear();
    }
    if (options.http.insecure && url.tls) {
      log_warning("{}: certificates are not checked (--insecure)", server.name());
    }
    out.push_back(std::move(server));
  }
  return out;
}

std::unique_ptr<HttpClient> make_client(const EngineOptions& options, bool patient) {
  std::int64_t concurrency = options.max_batch;
  if (concurrency == 0 && patient) concurrency = kDefaultConcurrency;
  auto client =
      std::make_unique<HttpClient>(ClientOptions{.servers = server_addresses(options),
                                                 .http = options.http,
                                                 .concurrency = concurrency,
                                                 .patient = patient,
                                                 .stop_requested = options.stop_requested});
  ProbeResult found = probe(*client, options, patient);
  client->set_model(std::move(found.traits), std::move(found.info));
  return client;
}

/// Completions on their way from the network's thread to the one that called `run`.
struct Arrivals {
  std::mutex lock;  // guards `list`
  std::condition_variable some;
  std::deque<std::pair<std::size_t, Completion>> list;
};

class Arrival : public Listener {
 public:
  Arrival(std::shared_ptr<Arrivals> arrivals, std::size_t index)
      : arrivals_(std::move(arrivals)), index_(index) {}
  void on_delta(const Delta&) override {}
  void on_done(Completion completion) override {
    const std::lock_guard guard(arrivals_->lock);
    arrivals_->list.emplace_back(index_, std::move(completion));
    arrivals_->some.notify_one();
  }

 private:
  std::shared_ptr<Arrivals> arrivals_;
  std::size_t index_;
};

class HttpGenerator : public Generator {
 public:
  HttpGenerator(std::unique_ptr<HttpClient> client, std::size_t window,
                std::function<bool()> stop_requested)
      : client_(std::move(client)), window_(window), stop_requested_(std::move(stop_requested)) {}

  const ModelInfo& info() const override { return client_->info(); }

  /// What the first token's alternatives can tell depends on the model's tokens: it is tried out.
  std::string refusal(const Request& request) const override {
    const ServerTraits& traits = client_->traits();
    std::string reason = engine::refusal(request, traits);
    const bool by_echo =
        traits.scoring == Scoring::kEcho && request.prompt.form != PromptInput::Form::kChat;
    if (!reason.empty() || request.continuations.empty() || by_echo) return reason;
    const auto dialogue = make_dialogue(request, traits, {});
    try {
      const PlainReply reply = client_->ask(0, dialogue->call());
      if (reply.status != 200) return "";  // the run will see
      dialogue->take({.status = 200}, reply.body, 0);
      dialogue->end(0);
    } catch (const Fault& fault) {
      if (fault.kind == FaultKind::kRefused) return fault.text;
    }
    return "";
  }

  void run(std::span<const Request> requests, const CompletionSink& sink) override {
    const auto arrivals = std::make_shared<Arrivals>();
    std::vector<RequestHandle> handles;
    std::size_t done = 0;
    bool go_on = true;
    while (go_on && done < requests.size()) {
      // More than the servers get at once, so that none waits for this thread.
      while (handles.size() < requests.size() && handles.size() - done < window_ &&
             client_->lost().empty()) {
        handles.push_back(client_->submit(requests[handles.size()],
                                          std::make_shared<Arrival>(arrivals, handles.size())));
      }
      if (done == handles.size()) break;  // lost, and all that was under way has ended
      std::unique_lock guard(arrivals->lock);
      if (arrivals->list.empty()) arrivals->some.wait_for(guard, kLook);
      while (go_on && !arrivals->list.empty()) {
        auto [index, completion] = std::move(arrivals->list.front());
        arrivals->list.pop_front();
        guard.unlock();
        ++done;
        go_on = sink(index, std::move(completion));
        guard.lock();
      }
      if (stop_requested_ && stop_requested_()) go_on = false;
    }
    for (const RequestHandle handle : handles) client_->cancel(handle);
    const std::string lost = client_->lost();
    if (go_on && !lost.empty()) {
      throw_environment("{}; what is finished is stored, the same command goes on from there",
                        lost);
    }
  }

 private:
  std::unique_ptr<HttpClient> client_;
  std::size_t window_;
  std::function<bool()> stop_requested_;
};

}  // namespace

std::unique_ptr<Generator> make_http_generator(const EngineOptions& options) {
  auto client = make_client(options, true);
  const std::int64_t each = options.max_batch > 0 ? options.max_batch : kDefaultConcurrency;
  const std::size_t window =
      2 * static_cast<std::size_t>(each) * parse_addresses(options.model).size();
  return std::make_unique<HttpGenerator>(std::move(client), window, options.stop_requested);
}

std::unique_ptr<Session> make_http_session(const EngineOptions& options) {
  return make_client(options, false);
}

}  // namespace assay::engine
