// Two connected sockets, one of which holds bytes that the other has yet to read: for what can only
// be fuzzed through a socket.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <string_view>

namespace assay::fuzz {

/// Over TCP, since what is under test sets options of it. The writer's side is closed for writing.
class Loopback {
 public:
  /// REQUIRES: no more bytes than a socket takes without a reader; 64 KiB are fine.
  Loopback(boost::asio::io_context& io, std::string_view bytes) : reader(io), writer_(io) {
    namespace asio = boost::asio;
    using asio::ip::tcp;
    static asio::io_context listening;
    static tcp::acceptor acceptor(listening, {asio::ip::address_v4::loopback(), 0});
    writer_.connect(acceptor.local_endpoint());
    acceptor.accept(reader);
    // A reset at the end: a closed pair would keep its port for a minute.
    writer_.set_option(asio::socket_base::linger(true, 0));
    reader.set_option(asio::socket_base::linger(true, 0));
    asio::write(writer_, asio::buffer(bytes));
    writer_.shutdown(tcp::socket::shutdown_send);
  }

  boost::asio::ip::tcp::socket reader;

 private:
  boost::asio::ip::tcp::socket writer_;
};

}  // namespace assay::fuzz
