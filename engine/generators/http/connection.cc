#include "engine/generators/http/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/tls.h"
#include "engine/generators/http/answer_reader.h"
#include "engine/generators/http/fault.h"

namespace assay::engine {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

bool is_end(const boost::system::error_code& error) { return error == asio::error::eof; }

}  // namespace

ServerConnection::ServerConnection(const Network& network, const ServerAddress& server)
    : network_(network), server_(server), socket_(*network.io), resolver_(*network.io) {}

void ServerConnection::wait_for(Watch& watch, const char* stage,
                                std::chrono::milliseconds most) const {
  watch.stage = stage;
  watch.until_ns = monotonic_ns() + std::chrono::nanoseconds(most).count();
}

void ServerConnection::fail(const boost::system::error_code& error, const Watch& watch) const {
  if (watch.expired) {
    throw Fault(FaultKind::kTimeout, fmt::format("waited too long for {}", watch.stage));
  }
  throw Fault(FaultKind::kConnection, fmt::format("{}: {}", watch.stage, error.message()));
}

asio::awaitable<void> ServerConnection::open(Watch& watch) {
  wait_for(watch, "a connection", network_.options->connect);
  const Url& peer = server_.proxy ? *server_.proxy : server_.url;
  auto [unresolved, results] = co_await resolver_.async_resolve(peer.host, peer.port, kAsTuple);
  if (unresolved || watch.expired || watch.dropped) fail(unresolved, watch);
  const auto [error, chosen] = co_await asio::async_connect(socket_, results, kAsTuple);
  if (error || watch.expired || watch.dropped) fail(error, watch);
  boost::system::error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  if (server_.url.tls && server_.proxy) co_await tunnel(watch);
  if (server_.url.tls) co_await handshake(watch);
  reusable_ = true;
  used_ = false;
}

asio::awaitable<void> ServerConnection::tunnel(Watch& watch) {
  const std::string place = server_.url.host + ":" + server_.url.port;
  co_await write("CONNECT " + place + " HTTP/1.1\r\nHost: " + place + "\r\n" +
                     proxy_authorization(*server_.proxy) + "\r\n",
                 watch);
  // Read byte by byte so that nothing of the tunnel's content is taken: the head is short.
  std::string head;
  while (!head.ends_with("\r\n\r\n")) {
    char byte = 0;
    const auto [error, size] = co_await socket_.async_read_some(asio::buffer(&byte, 1), kAsTuple);
    if (error) fail(error, watch);
    head.append(&byte, size);
    if (head.size() > AnswerReader::kMaxHeadBytes)
      throw Fault(FaultKind::kMalformed, "the proxy's head is long");
  }
  http::response_parser<http::string_body> parser;
  parser.skip(true);
  boost::system::error_code error;
  parser.put(asio::buffer(head), error);
  if (error) throw Fault(FaultKind::kMalformed, "the proxy's answer is no HTTP");
  const unsigned status = parser.get().result_int();
  if (status / 100 == 2) co_return;
  throw Fault(status == 407 || status == 403 ? FaultKind::kFatal : FaultKind::kConnection,
              fmt::format("the proxy {} answers {}", server_.proxy->shown(), status));
}

asio::awaitable<void> ServerConnection::handshake(Watch& watch) {
  tls_ = std::make_unique<asio::ssl::stream<tcp::socket&>>(socket_, *network_.tls);
  expect_host(tls_->native_handle(), server_.url.host);
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kAsTuple);
  if (!error) co_return;
  const std::string failure = verify_failure(tls_->native_handle());
  if (!watch.expired && !failure.empty()) {
    throw Fault(FaultKind::kFatal, "the server's certificate does not verify: " + failure);
  }
  fail(error, watch);
}

asio::awaitable<void> ServerConnection::write(std::string_view bytes, Watch& watch) {
  boost::system::error_code error;
  std::size_t size = 0;
  if (tls_) {
    std::tie(error, size) = co_await asio::async_write(*tls_, asio::buffer(bytes), kAsTuple);
  } else {
    std::tie(error, size) = co_await asio::async_write(socket_, asio::buffer(bytes), kAsTuple);
  }
  if (error) fail(error, watch);
}

std::size_t ServerConnection::write_now(std::string_view bytes) {
  if (tls_) return 0;
  boost::system::error_code error;
  return socket_.write_some(asio::buffer(bytes), error);
}

asio::awaitable<std::size_t> ServerConnection::read_some(Watch& watch) {
  boost::system::error_code error;
  std::size_t size = 0;
  if (tls_) {
    std::tie(error, size) = co_await tls_->async_read_some(asio::buffer(buffer_), kAsTuple);
  } else {
    std::tie(error, size) = co_await socket_.async_read_some(asio::buffer(buffer_), kAsTuple);
  }
  if (is_end(error)) co_return 0;
  if (error) fail(error, watch);
  co_return size;
}

asio::awaitable<void> ServerConnection::exchange(std::string_view request, ReplySink& sink,
                                                 std::size_t max_body, Watch& watch) {
  reusable_ = false;
  AnswerReader reading(max_body, sink);
  try {
    wait_for(watch, "sending the request", network_.options->silence);
    sink.on_sent(monotonic_ns());
    request.remove_prefix(write_now(request));
    if (!request.empty()) co_await write(request, watch);
    wait_for(watch, "the answer's first byte", network_.options->first_byte);
    for (bool done = false; !done;) {
      const std::size_t size = co_await read_some(watch);
      const std::int64_t now = monotonic_ns();
      if (size == 0) {
        reading.take_end(now);
        break;
      }
      watch.stage = "the rest of the answer";
      watch.until_ns = now + std::chrono::nanoseconds(network_.options->silence).count();
      done = reading.take({buffer_.data(), size}, now);
    }
  } catch (Fault& fault) {
    fault.stale = used_ && fault.kind == FaultKind::kConnection && !reading.got_some();
    close();
    throw;
  } catch (const Error& error) {
    close();
    throw Fault(FaultKind::kMalformed, error.what());
  }
  watch.until_ns = 0;
  used_ = true;
  reusable_ = reading.keeps_connection();
  if (!reusable_) close();
}

void ServerConnection::close() {
  reusable_ = false;
  boost::system::error_code ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

}  // namespace assay::engine
