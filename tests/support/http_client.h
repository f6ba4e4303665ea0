// A client that sends exactly the bytes it is given, for tests of servers.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/text.h"

namespace assay::test {

struct RawReply {
  int status = 0;                              // 0: the connection ended before a reply
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunk framing
  bool complete = false;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  RawClient(RawClient&&) = delete;
  RawClient& operator=(RawClient&&) = delete;

  /// False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Appends what comes; false at the end, or after ten seconds of silence.
  bool receive() {
    pollfd poll{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&poll, 1, 10'000) <= 0) return false;
    char bytes[16384];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  /// The connection is closed by the server, without more bytes.
  bool at_end() { return received_.empty() && !receive() && received_.empty(); }

  RawReply reply() {
    RawReply out;
    const std::string head = take_until("\r\n\r\n");
    if (head.empty()) return out;
    const auto lines = split(std::string_view(head), "\r\n");
    out.status = std::atoi(std::string(lines[0].substr(9, 3)).c_str());
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const std::size_t colon = lines[i].find(':');
      if (colon == std::string_view::npos) continue;
      out.headers[to_lower_ascii(lines[i].substr(0, colon))] =
          std::string(trim_ascii(lines[i].substr(colon + 1)));
    }
    if (out.status == 100) return reply();
    if (out.headers.contains("transfer-encoding")) {
      out.complete = read_chunks(out.body);
    } else if (out.headers.contains("content-length")) {
      const auto size =
          static_cast<std::size_t>(std::atoll(out.headers.at("content-length").c_str()));
      while (received_.size() < size && receive()) {
      }
      out.complete = received_.size() >= size;
      out.body = received_.substr(0, size);
      received_.erase(0, size);
    } else {
      while (receive()) {
      }
      out.body = std::exchange(received_, "");
      out.complete = true;
    }
    return out;
  }
  /// Bytes up to and with `end`; "" when the connection ends before.
  std::string take_until(std::string_view end) {
    std::size_t at = received_.find(end);
    while (at == std::string::npos) {
      if (!receive()) return "";
      at = received_.find(end);
    }
    std::string out = received_.substr(0, at + end.size());
    received_.erase(0, out.size());
    return out;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Closes with a reset.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  int descriptor() const { return fd_; }

 private:
  bool read_chunks(std::string& body) {
    for (;;) {
      const std::string line = take_until("\r\n");
      if (line.empty()) return false;
      const auto size = static_cast<std::size_t>(std::strtoull(line.c_str(), nullptr, 16));
      while (received_.size() < size + 2 && receive()) {
      }
      if (received_.size() < size + 2) return false;
      body += received_.substr(0, size);
      received_.erase(0, size + 2);
      if (size == 0) return true;
    }
  }

  int fd_;
  std::string received_;
};

/// A request as an ordinary client writes it.
inline std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}
inline std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "\r\n";
}

}  // namespace assay::test
