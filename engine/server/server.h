// `assay serve`: a session behind an OpenAI-compatible HTTP interface (docs/serve.md).
// Boost.Asio and Beast sit behind this header. One thread does all input and output; a second one
// parses and tokenizes what is large and renders pages, so that no client waits for another's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/server/http.h"
#include "engine/session.h"

namespace assay::engine {

struct ServerOptions {
  std::string address = "127.0.0.1";  // an IP address
  std::uint16_t port = 8000;          // 0: any that is free
  std::string token;                  // bearer token that clients must show; "" for none
  bool open = false;                  // without a token beyond loopback, on purpose
  std::vector<std::string> hosts;     // names that "Host" may have beside localhost and addresses
  std::string model_name;             // "" for the session's
  bool truncate_prompts = false;      // the engine cuts prompts beyond the context

  std::size_t max_connections = 256;
  std::size_t max_queue = 1024;  // answers in the making, all clients together
  std::size_t max_body_bytes = std::size_t{8} << 20;
  std::chrono::milliseconds header_time{10'000};  // from a request's first byte
  std::chrono::milliseconds body_time{30'000};
  std::chrono::milliseconds idle_time{60'000};   // between requests
  std::chrono::milliseconds write_time{30'000};  // for 64 KiB to be taken by a client
  std::chrono::milliseconds drain_time{10'000};  // for answers in the making, after a signal
};

/// A page beside the API, by GET, made anew for each request on the second thread.
struct PageRoute {
  std::string path;
  std::function<HttpReply()> make;  // an Error it throws is told as 500
};

class Server {
 public:
  /// Binds. `session` must outlive it and know its tokenizer.
  /// Throws: Error(kInput) for an address that is none, or one beyond loopback without token;
  /// Error(kEnvironment) when it cannot be bound.
  Server(Session& session, ServerOptions options, std::vector<PageRoute> pages = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  Server(Server&&) = delete;
  Server& operator=(Server&&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  /// Serves until `stop` or, with `signals`, SIGINT or SIGTERM; then takes no new work and ends
  /// when the answers in the making are done or the drain time is over. A second signal ends at
  /// once. Returns the signal, or 0 after `stop`. Throws: Error(kEnvironment) when the engine is
  /// lost.
  int run(bool signals);
  /// From any thread.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::engine
