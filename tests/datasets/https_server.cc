#include "tests/datasets/https_server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "base/text.h"

namespace assay::test {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

void make_certificate(const std::filesystem::path& folder, const std::string& name) {
  const std::string command = fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj /CN={0} -addext subjectAltName=DNS:{0} -keyout {1}/key.pem -out {1}/cert.pem "
      "2>{1}/openssl.log",
      name, folder.string());
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

}  // namespace

struct HttpsServer::Impl {
  Impl(const std::filesystem::path& where, Handler handle)
      : folder(where),
        handler(std::move(handle)),
        acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    context.use_certificate_file((folder / "cert.pem").string(), asio::ssl::context::pem);
    context.use_private_key_file((folder / "key.pem").string(), asio::ssl::context::pem);
    thread = std::thread([this] { serve(); });
  }
  ~Impl() {
    stopping = true;
    beast::error_code ignored;
    tcp::socket wake(io);
    wake.connect(acceptor.local_endpoint(), ignored);
    thread.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void serve() {
    while (!stopping) {
      beast::error_code error;
      beast::ssl_stream<tcp::socket> stream(io, context);
      acceptor.accept(stream.next_layer(), error);
      if (stopping || error) continue;
      stream.handshake(asio::ssl::stream_base::server, error);
      if (!error) answer(stream);
    }
  }

  void answer(beast::ssl_stream<tcp::socket>& stream) {
    beast::error_code error;
    beast::flat_buffer buffer;
    http::request<http::empty_body> message;
    http::read(stream, buffer, message, error);
    if (error) return;
    HttpRequest request{.target = std::string(message.target())};
    for (const auto& field : message) {
      request.headers[to_lower_ascii(std::string(field.name_string()))] =
          std::string(field.value());
    }
    const HttpAnswer reply = handler(request);
    requests.push_back(std::move(request));
    std::string text =
        fmt::format("HTTP/1.1 {} Test\r\nContent-Length: {}\r\n", reply.status, reply.body.size());
    for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
    text += "\r\n" + reply.body.substr(0, reply.cut_after);
    asio::write(stream, asio::buffer(text), error);
    if (reply.cut_after >= reply.body.size()) stream.shutdown(error);
    stream.next_layer().shutdown(tcp::socket::shutdown_both, error);
  }

  std::filesystem::path folder;
  Handler handler;
  std::vector<HttpRequest> requests;  // by the server's thread only, until an exchange is over
  std::atomic<bool> stopping{false};
  asio::io_context io;
  asio::ssl::context context{asio::ssl::context::tls_server};
  tcp::acceptor acceptor;
  std::thread thread;
};

HttpsServer::HttpsServer(const std::filesystem::path& folder, const std::string& name,
                         Handler handler) {
  make_certificate(folder, name);
  impl_ = std::make_unique<Impl>(folder, std::move(handler));
}
HttpsServer::~HttpsServer() = default;

std::string HttpsServer::url(const std::string& target) const {
  return fmt::format("https://localhost:{}{}", impl_->acceptor.local_endpoint().port(), target);
}
std::string HttpsServer::ca_file() const { return (impl_->folder / "cert.pem").string(); }
const std::vector<HttpRequest>& HttpsServer::requests() const { return impl_->requests; }

}  // namespace assay::test
