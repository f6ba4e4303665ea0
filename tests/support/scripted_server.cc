#include "tests/support/scripted_server.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "base/text.h"
#include "base/url.h"

namespace assay::test {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

std::string pem_of(const std::function<void(BIO*)>& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

constexpr long kDay = 24 * 60 * 60;

/// One accepted connection and its thread.
class ScriptedConnection : public ScriptedExchange {
 public:
  ScriptedConnection(tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr) stream_.emplace(socket_, *tls);
  }

  void serve(const ScriptedServer::Handler& handler, bool silent) {
    boost::system::error_code error;
    if (silent) {
      hang();
      return;
    }
    if (stream_) stream_->handshake(asio::ssl::stream_base::server, error);
    while (!error && !closed_ && read_request()) handler(*this);
    close(false);
  }

  const ScriptedRequest& request() const override { return request_; }

  void send(std::string_view bytes) override {
    boost::system::error_code error;
    if (stream_) {
      asio::write(*stream_, asio::buffer(bytes), error);
    } else {
      asio::write(socket_, asio::buffer(bytes), error);
    }
    if (error) closed_ = true;
  }

  void hang() override {
    char byte = 0;
    while (::recv(socket_.native_handle(), &byte, 1, 0) > 0) {
    }
    closed_ = true;
  }

  void tunnel(std::uint16_t port) override {
    boost::system::error_code error;
    tcp::socket other(socket_.get_executor());
    other.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port), error);
    if (error) return;
    std::thread back([&] { copy(other, socket_); });
    copy(socket_, other);
    back.join();
    closed_ = true;
  }

  void close(bool reset) override {
    if (closed_.exchange(true)) return;
    boost::system::error_code ignored;
    if (reset) {
      const std::lock_guard guard(ending_);
      socket_.set_option(asio::socket_base::linger(true, 0), ignored);
      socket_.close(ignored);
      return;
    }
    if (stream_) stream_->shutdown(ignored);
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
  }
  /// From another thread: whatever it waits for ends.
  void kill() {
    closed_ = true;
    const std::lock_guard guard(ending_);
    ::shutdown(socket_.native_handle(), SHUT_RDWR);
  }

 private:
  static void copy(tcp::socket& from, tcp::socket& to) {
    char piece[4096];
    for (;;) {
      boost::system::error_code error;
      const std::size_t size = from.read_some(asio::buffer(piece), error);
      if (!error) asio::write(to, asio::buffer(piece, size), error);
      if (!error) continue;
      // Both directions end together.
      ::shutdown(from.native_handle(), SHUT_RDWR);
      ::shutdown(to.native_handle(), SHUT_RDWR);
      return;
    }
  }

  bool read_some() {
    char piece[4096];
    boost::system::error_code error;
    const std::size_t size = stream_ ? stream_->read_some(asio::buffer(piece), error)
                                     : socket_.read_some(asio::buffer(piece), error);
    if (error) return false;
    buffer_.append(piece, size);
    return true;
  }

  bool read_request() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_some()) return false;
    }
    request_ = {};
    std::size_t length = 0;
    bool first = true;
    for (const std::string_view line : split(std::string_view(buffer_).substr(0, end), "\r\n")) {
      if (first) {
        const auto words = split(line, ' ');
        request_.method = words[0];
        request_.target = words.size() > 1 ? std::string(words[1]) : "";
        first = false;
        continue;
      }
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string name = to_lower_ascii(line.substr(0, colon));
      request_.headers[name] = std::string(trim_ascii(line.substr(colon + 1)));
      if (name == "content-length") {
        length = static_cast<std::size_t>(parse_int(request_.headers[name]).value_or(0));
      }
    }
    buffer_.erase(0, end + 4);
    while (buffer_.size() < length) {
      if (!read_some()) return false;
    }
    request_.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return true;
  }

  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> stream_;
  std::string buffer_;
  ScriptedRequest request_;
  std::atomic<bool> closed_{false};
  std::mutex ending_;  // the socket is closed, or another thread ends what it waits for
};

}  // namespace

TestCertificate make_certificate(const std::string& host, int from_days, int to_days) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x509 = X509_new();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), from_days * kDay);
  X509_gmtime_adj(X509_getm_notAfter(x509), to_days * kDay);
  X509_set_pubkey(x509, key);
  X509_NAME* name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(host.c_str()), -1, -1, 0);
  X509_set_issuer_name(x509, name);
  const bool address = is_loopback(host) && host != "localhost";
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                  ((address ? "IP:" : "DNS:") + host).c_str());
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(x509, key, EVP_sha256());
  TestCertificate out{.certificate = pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, x509); }),
                      .key = pem_of([&](BIO* bio) {
                        PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                      })};
  X509_free(x509);
  EVP_PKEY_free(key);
  return out;
}

void ScriptedExchange::reply(int status, std::string_view body, std::string_view type,
                             std::string_view more_headers) {
  send(fmt::format("HTTP/1.1 {} Test\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n{}", status,
                   type, body.size(), more_headers, body));
}

void ScriptedExchange::begin_stream() {
  send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
}

void ScriptedExchange::event(std::string_view data) {
  const std::string text = fmt::format("data: {}\n\n", data);
  send(fmt::format("{:x}\r\n{}\r\n", text.size(), text));
}

void ScriptedExchange::end_stream() {
  event("[DONE]");
  send("0\r\n\r\n");
}

struct ScriptedServer::Impl {
  Impl(Handler what, Options given)
      : handler(std::move(what)),
        options(std::move(given)),
        acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), options.port)) {
    if (!options.certificate.empty()) {
      tls.emplace(asio::ssl::context::tls_server);
      tls->use_certificate_chain(asio::buffer(options.certificate));
      tls->use_private_key(asio::buffer(options.key), asio::ssl::context::pem);
    }
    port = acceptor.local_endpoint().port();
    thread = std::thread([this] { accept(); });
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void accept() {
    while (!stopping) {
      boost::system::error_code error;
      tcp::socket socket(io);
      acceptor.accept(socket, error);
      if (stopping || error) continue;
      ++accepted;
      const std::lock_guard guard(lock);
      auto& one = open.emplace_back(std::move(socket), tls ? &*tls : nullptr);
      threads.emplace_back([this, &one] { one.serve(handler, options.silent_handshake); });
    }
  }

  void stop() {
    if (stopping.exchange(true)) return;
    ::shutdown(acceptor.native_handle(), SHUT_RDWR);
    thread.join();
    boost::system::error_code ignored;
    acceptor.close(ignored);
    {
      const std::lock_guard guard(lock);
      for (ScriptedConnection& one : open) one.kill();
    }
    for (std::thread& one : threads) one.join();
    open.clear();
  }

  Handler handler;
  Options options;
  asio::io_context io;
  std::optional<asio::ssl::context> tls;
  tcp::acceptor acceptor;
  std::uint16_t port = 0;
  std::atomic<bool> stopping{false};
  std::atomic<int> accepted{0};
  std::mutex lock;  // guards `open`
  std::list<ScriptedConnection> open;
  std::list<std::thread> threads;
  std::thread thread;
};

ScriptedServer::ScriptedServer(Handler handler) : ScriptedServer(std::move(handler), Options{}) {}
ScriptedServer::ScriptedServer(Handler handler, Options options)
    : impl_(std::make_unique<Impl>(std::move(handler), std::move(options))) {}
ScriptedServer::~ScriptedServer() = default;

std::uint16_t ScriptedServer::port() const { return impl_->port; }
std::string ScriptedServer::url() const {
  return impl_->tls || impl_->options.silent_handshake
             ? fmt::format("https://localhost:{}/v1", impl_->port)
             : fmt::format("http://127.0.0.1:{}/v1", impl_->port);
}
int ScriptedServer::connections() const { return impl_->accepted; }
void ScriptedServer::die() { impl_->stop(); }

}  // namespace assay::test
