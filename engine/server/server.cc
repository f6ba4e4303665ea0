#include "engine/server/server.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/server/connection.h"
#include "engine/server/state.h"

namespace assay::engine {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kReserved = 16;  // connections for health and metrics beyond the limit
constexpr std::chrono::milliseconds kTick{50};

constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nServer: assay\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
    "Connection: close\r\n\r\n";

tcp::endpoint endpoint_of(const ServerOptions& options) {
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error) throw_input("--listen {}: is no IP address", escaped(options.address));
  if (!address.is_loopback() && options.token.empty() && !options.open) {
    throw_input(
        "--listen {}: other machines could use this server; give it a token (--token-file or "
        "ASSAY_SERVE_TOKEN) or say --no-token",
        escaped(options.address));
  }
  return {address, options.port};
}

}  // namespace

struct Server::Impl {
  Impl(Session& session, ServerOptions options, std::vector<PageRoute> pages)
      : state(session, std::move(options), std::move(pages)),
        acceptor(state.io),
        ticker(state.io),
        signals(state.io) {
    const tcp::endpoint endpoint = endpoint_of(state.options);
    boost::system::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      throw_environment("cannot listen on {} port {}: {}", state.options.address,
                        state.options.port, error.message());
    }
  }

  asio::awaitable<void> accept_all();
  asio::awaitable<void> tick();
  asio::awaitable<void> hear_signals();
  asio::awaitable<void> serve(tcp::socket socket, bool reserved);
  void welcome(tcp::socket socket);
  void drain();
  void finish();

  ServerState state;
  tcp::acceptor acceptor;
  asio::steady_timer ticker;
  asio::signal_set signals;
  Connection::Clock::time_point end = Connection::Clock::time_point::max();  // of draining
  int signal = 0;
};

asio::awaitable<void> Server::Impl::serve(tcp::socket socket, bool reserved) {
  try {
    Connection connection(state, std::move(socket), reserved);
    co_await connection.run();
  } catch (const std::exception& error) {
    log_warning("connection: {}", escaped(error.what(), 1000));
  }
}

void Server::Impl::welcome(tcp::socket socket) {
  const std::size_t open = state.connections.size();
  if (open >= state.options.max_connections + kReserved) {
    ++state.metrics.refused_connections;
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(kBusy.data(), kBusy.size()), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    return;
  }
  asio::co_spawn(state.io, serve(std::move(socket), open >= state.options.max_connections),
                 asio::detached);
}

asio::awaitable<void> Server::Impl::accept_all() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kNoThrow);
    if (!error) {
      welcome(std::move(socket));
    } else if (acceptor.is_open()) {
      // Out of descriptors, most likely: some will be closed soon.
      asio::steady_timer pause(state.io, kTick);
      co_await pause.async_wait(kNoThrow);
    }
  }
}

/// Looks after all deadlines, so that no wait needs a timer of its own.
asio::awaitable<void> Server::Impl::tick() {
  while (!state.draining || !state.connections.empty()) {
    ticker.expires_after(kTick);
    co_await ticker.async_wait(kNoThrow);
    const auto now = Connection::Clock::now();
    for (Connection* connection : state.connections) connection->check(now);
    if (!state.session.lost().empty()) drain();
    if (now >= end) {
      for (Connection* connection : state.connections) connection->abort();
    }
  }
  finish();
}

asio::awaitable<void> Server::Impl::hear_signals() {
  for (;;) {
    const auto [error, number] = co_await signals.async_wait(kNoThrow);
    if (error) co_return;
    if (state.draining) {
      end = Connection::Clock::now();
    } else {
      signal = number;
      log_info("{}: no new work is taken; {} answers in the making may take {} s more",
               number == SIGINT ? "interrupted" : "terminated", state.metrics.in_flight,
               state.options.drain_time.count() / 1000);
      drain();
    }
  }
}

void Server::Impl::drain() {
  if (std::exchange(state.draining, true)) return;
  boost::system::error_code ignored;
  acceptor.close(ignored);
  end = Connection::Clock::now() + state.options.drain_time;
  for (Connection* connection : state.connections) connection->drain();
}

void Server::Impl::finish() {
  boost::system::error_code ignored;
  signals.cancel(ignored);
}

Server::Server(Session& session, ServerOptions options, std::vector<PageRoute> pages) {
  if (session.encoder() == nullptr) {
    throw_input("{}: only a model whose tokenizer is known here can be served",
                session.info().name);
  }
  impl_ = std::make_unique<Impl>(session, std::move(options), std::move(pages));
}

Server::~Server() = default;

std::uint16_t Server::port() const { return impl_->acceptor.local_endpoint().port(); }

int Server::run(bool signals) {
  Impl& impl = *impl_;
  if (signals) {
    impl.signals.add(SIGINT);
    impl.signals.add(SIGTERM);
    asio::co_spawn(impl.state.io, impl.hear_signals(), asio::detached);
  }
  asio::co_spawn(impl.state.io, impl.accept_all(), asio::detached);
  asio::co_spawn(impl.state.io, impl.tick(), asio::detached);
  impl.state.io.run();
  impl.state.workers.join();
  const std::string lost = impl.state.session.lost();
  if (!lost.empty()) throw_environment("the engine is lost: {}", lost);
  return impl.signal;
}

void Server::stop() {
  asio::post(impl_->state.io, [impl = impl_.get()] { impl->drain(); });
}

}  // namespace assay::engine
