// A server for tests of clients: whatever a handler wants to go wrong goes wrong, on real sockets
// of the loopback address. One thread for each connection.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace assay::test {

struct ScriptedRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// What a handler does with one request. Sending to a client that is gone does nothing.
class ScriptedExchange {
 public:
  virtual ~ScriptedExchange() = default;
  [[nodiscard]] virtual const ScriptedRequest& request() const = 0;
  /// Bytes as they are.
  virtual void send(std::string_view bytes) = 0;
  /// Returns once the client has gone or the server is stopped.
  virtual void hang() = 0;
  /// As a proxy does after CONNECT: what comes is passed to this port of the loopback address and
  /// back, until one side ends.
  virtual void tunnel(std::uint16_t port) = 0;
  /// Ends the connection: in order, or (`reset`) with a reset.
  virtual void close(bool reset = false) = 0;

  /// A whole answer with its length.
  void reply(int status, std::string_view body, std::string_view type = "application/json",
             std::string_view more_headers = "");
  /// The head of a chunked event stream, one event of it, its end.
  void begin_stream();
  void event(std::string_view data);
  void end_stream();
};

/// A certificate made on the spot, which is its own root.
struct TestCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM
};
/// For the DNS name `host` (or the address, where it is one), valid from `from_days` to `to_days`
/// from now.
TestCertificate make_certificate(const std::string& host, int from_days = -1, int to_days = 2);

class ScriptedServer {
 public:
  using Handler = std::function<void(ScriptedExchange&)>;
  struct Options {
    std::string certificate;  // PEM; "": plain http
    std::string key;
    bool silent_handshake = false;  // accepts, and never says a word of TLS
    std::uint16_t port = 0;         // 0: a free one
  };

  explicit ScriptedServer(Handler handler);
  ScriptedServer(Handler handler, Options options);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// "http://127.0.0.1:PORT/v1", or "https://localhost:PORT/v1".
  [[nodiscard]] std::string url() const;
  /// Connections that were accepted so far.
  [[nodiscard]] int connections() const;
  /// As if the process had died: all connections are reset, new ones refused.
  void die();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::test
