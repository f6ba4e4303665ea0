// A session of one model on one or several servers. One thread does all of the network; requests
// wait in one queue, from which every server takes its next one, so that a slow or dead server
// leaves its work to the others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/generators/http/call.h"
#include "engine/generators/http/server_address.h"
#include "engine/generators/http/traits.h"
#include "engine/http_options.h"
#include "engine/session.h"

namespace assay::engine {

struct ClientOptions {
  std::vector<ServerAddress> servers;  // at least one
  HttpOptions http;
  std::int64_t concurrency = 0;  // requests at once for each server; 0: no limit
  /// For evaluations: faults are tried again and servers that are down are left alone for a while;
  /// nobody sees the parts of an answer. Without, a request is one attempt, and its deltas are
  /// seen.
  bool patient = true;
  std::function<bool()> stop_requested;  // asked while `ask` blocks; may be empty
};

/// The whole of one answer, for probes.
struct PlainReply {
  unsigned status = 0;
  std::string body;
};

class HttpClient : public Session {
 public:
  /// Starts the thread. Throws: Error(kInput) for certificates that cannot be read.
  explicit HttpClient(ClientOptions options);
  ~HttpClient() override;

  /// One exchange with one server, once. Blocks; not from a listener. Throws: Fault, also when a
  /// stop was requested.
  PlainReply ask(std::size_t server, const HttpCall& call);
  /// What probes found. Before the first `submit`.
  void set_model(ServerTraits traits, ModelInfo info);
  [[nodiscard]] const ServerTraits& traits() const;

  [[nodiscard]] const ModelInfo& info() const override;
  RequestHandle submit(Request request, std::shared_ptr<Listener> listener) override;
  void cancel(RequestHandle handle) override;
  bool call_at(std::int64_t at_ns, std::function<void()> call) override;
  [[nodiscard]] std::string lost() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::engine
