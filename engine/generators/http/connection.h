// One TCP or TLS connection to a server, on which one exchange follows the other. Boost.Asio and
// Beast stand behind this header and client_impl.h; both are private to this folder.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/generators/http/call.h"
#include "engine/generators/http/server_address.h"
#include "engine/http_options.h"

namespace assay::engine {

/// What an exchange is waiting for, and until when. Whoever owns the clock looks at it now and then
/// and closes the connection when it is over: a timer for each wait would cost more than the wait.
struct Watch {
  std::int64_t until_ns = 0;  // 0: no wait is under way
  std::int64_t over_ns = 0;   // the whole attempt ends here
  const char* stage = "";     // "connecting", "the answer's first byte", ...
  bool expired = false;
  bool dropped = false;  // closed because nobody wants the answer any more
};

/// What all connections of a client share. Used on the client's thread alone.
struct Network {
  boost::asio::io_context* io = nullptr;
  boost::asio::ssl::context* tls = nullptr;
  const HttpOptions* options = nullptr;
};

class ServerConnection {
 public:
  using Results = boost::asio::ip::tcp::resolver::results_type;

  /// Both must outlive the connection.
  ServerConnection(const Network& network, const ServerAddress& server);

  /// Connects, through the proxy where there is one, with TLS where wanted. Throws: Fault.
  boost::asio::awaitable<void> open(Watch& watch);
  /// Sends `request` (head and body) and hands the answer, of at most `max_body` bytes, to `sink`.
  /// After a Fault the connection is closed. REQUIRES: open, and no other exchange under way.
  boost::asio::awaitable<void> exchange(std::string_view request, ReplySink& sink,
                                        std::size_t max_body, Watch& watch);

  /// Ends whatever is under way. The exchange then throws.
  void close();
  /// Whether another exchange may follow.
  [[nodiscard]] bool reusable() const { return reusable_; }

 private:
  boost::asio::awaitable<void> tunnel(Watch& watch);
  boost::asio::awaitable<void> handshake(Watch& watch);
  boost::asio::awaitable<void> write(std::string_view bytes, Watch& watch);
  /// How much of it the socket took at once: mostly all, so that nothing need be awaited. An error
  /// is met again by `write`.
  std::size_t write_now(std::string_view bytes);
  /// 0 at the end of what the peer sends.
  boost::asio::awaitable<std::size_t> read_some(Watch& watch);
  [[noreturn]] void fail(const boost::system::error_code& error, const Watch& watch) const;
  void wait_for(Watch& watch, const char* stage, std::chrono::milliseconds most) const;

  const Network& network_;
  const ServerAddress& server_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::ip::tcp::resolver resolver_;
  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  std::array<char, 16384> buffer_;
  bool used_ = false;  // an exchange was completed on it
  bool reusable_ = false;
};

}  // namespace assay::engine
