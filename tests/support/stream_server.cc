#include "tests/support/stream_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

#include "base/clock.h"

namespace assay::test {
namespace {

constexpr std::uint64_t kListener = 1;
constexpr std::uint64_t kTimer = 2;
constexpr std::uint64_t kWake = 3;

std::string chunk(const std::string& text) {
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

/// The number behind "key": in a JSON text of this project's own client.
std::int64_t number_behind(const std::string& body, const std::string& key,
                           std::int64_t otherwise) {
  const std::size_t at = body.find("\"" + key + "\":");
  return at == std::string::npos ? otherwise : std::atoll(body.c_str() + at + key.size() + 3);
}

std::string ids_of(const std::string& body) {
  const std::size_t at = body.find("\"prompt\":[");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + 10;
  return body.substr(begin, body.find(']', begin) - begin);
}

void write_all(int fd, const std::string& text) {
  // Small writes to a local socket: they fit its buffer, or the reader has gone.
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t size = ::send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (size <= 0) return;
    done += static_cast<std::size_t>(size);
  }
}

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("stream server: ") + what);
}

}  // namespace

struct StreamServer::Connection {
  int fd = -1;
  std::uint64_t id = 0;
  std::string input;
  // The stream that is being sent.
  StreamRecord* record = nullptr;
  std::int64_t tokens = 0;
  std::size_t prompt_tokens = 0;
};

StreamServer::StreamServer(const StreamScript& script) : script_(script) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  check(listener_ >= 0 && epoll_ >= 0 && timer_ >= 0 && wake_ >= 0, "no descriptors");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            ::listen(listener_, 4096) == 0 &&
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
        "cannot listen");
  port_ = ::ntohs(address.sin_port);
  for (const auto& [fd, id] : {std::pair{listener_, kListener}, {timer_, kTimer}, {wake_, kWake}}) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
    check(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
  }
}

StreamServer::~StreamServer() {
  stop();
  for (const auto& [id, connection] : connections_) ::close(connection->fd);
  for (const int fd : {listener_, epoll_, timer_, wake_}) ::close(fd);
}

void StreamServer::start() {
  thread_ = std::thread([this] { serve(); });
}

void StreamServer::stop() {
  stop_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void StreamServer::serve() {
  std::array<epoll_event, 256> events{};
  while (!stop_) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      if (id == kListener) {
        accept_all();
      } else if (id == kTimer) {
        std::uint64_t expirations = 0;
        [[maybe_unused]] const ssize_t size = ::read(timer_, &expirations, sizeof expirations);
      } else if (id != kWake) {
        const auto found = connections_.find(id);
        if (found != connections_.end()) read_from(*found->second);
      }
    }
    send_due();
    arm_timer();
  }
}

void StreamServer::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->id = next_id_++;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = connection->id}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    connections_.emplace(connection->id, std::move(connection));
  }
}

void StreamServer::close(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  ::close(found->second->fd);
  connections_.erase(found);
}

void StreamServer::read_from(Connection& connection) {
  std::array<char, 65536> buffer{};
  const ssize_t size = ::recv(connection.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    close(connection.id);
    return;
  }
  connection.input.append(buffer.data(), static_cast<std::size_t>(size));
  while (take_request(connection)) {
  }
}

bool StreamServer::take_request(Connection& connection) {
  std::string& input = connection.input;
  const std::size_t head_end = input.find("\r\n\r\n");
  if (head_end == std::string::npos) return false;
  const std::string head = input.substr(0, head_end);
  std::size_t length = 0;
  for (const char* name : {"Content-Length: ", "content-length: "}) {
    const std::size_t at = head.find(name);
    if (at != std::string::npos) {
      length = static_cast<std::size_t>(std::atoll(head.c_str() + at + 16));
    }
  }
  if (input.size() < head_end + 4 + length) return false;
  const std::string body = input.substr(head_end + 4, length);
  input.erase(0, head_end + 4 + length);
  answer(connection, head, body);
  return true;
}

void StreamServer::answer(Connection& connection, const std::string& head,
                          const std::string& body) {
  if (head.starts_with("POST") && body.find("\"stream\":true") != std::string::npos) {
    begin_stream(connection, body);
    return;
  }
  const std::string json =
      head.starts_with("GET")
          ? R"({"object":"list","data":[{"id":"scripted","object":"model","owned_by":"test"}]})"
          : R"({"id":"1","choices":[{"index":0,"text":" a","finish_reason":"length"}]})";
  write_all(connection.fd, fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                       "Content-Length: {}\r\n\r\n{}",
                                       json.size(), json));
}

void StreamServer::begin_stream(Connection& connection, const std::string& body) {
  const std::string ids = ids_of(body);
  StreamRecord& record = records_[ids];
  record = {};
  record.read_ns = monotonic_ns();
  const std::size_t comma = ids.find(',');
  const std::int64_t a = std::atoll(ids.c_str());
  const std::int64_t b = comma == std::string::npos ? 0 : std::atoll(ids.c_str() + comma + 1);
  record.first_ms = script_.first_ms + a % script_.first_spread;
  record.gap_ms = script_.gap_ms + b % script_.gap_spread;
  connection.record = &record;
  connection.tokens = number_behind(body, "max_tokens", 1);
  connection.prompt_tokens = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), ',')) + 1;
  record.written_ns.reserve(static_cast<std::size_t>(connection.tokens));
  due_.emplace(record.read_ns + record.first_ms * 1'000'000, Token{connection.id, 0});
}

void StreamServer::send_due() {
  while (!due_.empty() && due_.begin()->first <= monotonic_ns()) {
    const Token token = due_.begin()->second;
    due_.erase(due_.begin());
    const auto found = connections_.find(token.connection);
    if (found != connections_.end()) send_token(*found->second, token.number);
  }
}

void StreamServer::send_token(Connection& connection, std::int64_t number) {
  StreamRecord& record = *connection.record;
  std::string text;
  if (number == 0) {
    text =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  }
  text += chunk(
      "data: {\"id\":\"1\",\"object\":\"text_completion\",\"model\":\"scripted\",\"choices\":"
      "[{\"index\":0,\"text\":\" a\",\"finish_reason\":null}]}\n\n");
  const bool last = number + 1 == connection.tokens;
  if (last) {
    text += chunk(fmt::format(
        "data: {{\"id\":\"1\",\"choices\":[{{\"index\":0,\"text\":\"\",\"finish_reason\":"
        "\"length\"}}],\"usage\":{{\"prompt_tokens\":{},\"completion_tokens\":{}}}}}\n\n",
        connection.prompt_tokens, connection.tokens));
    text += chunk("data: [DONE]\n\n") + "0\r\n\r\n";
  } else {
    // By the schedule, not by when the last one went out: lateness does not add up.
    const std::int64_t at =
        record.read_ns + (record.first_ms + (number + 1) * record.gap_ms) * 1'000'000;
    due_.emplace(at, Token{connection.id, number + 1});
  }
  record.written_ns.push_back(monotonic_ns());
  write_all(connection.fd, text);
}

void StreamServer::arm_timer() {
  itimerspec when{};
  if (!due_.empty()) {
    const std::int64_t at = std::max<std::int64_t>(1, due_.begin()->first);
    when.it_value = {.tv_sec = at / 1'000'000'000, .tv_nsec = at % 1'000'000'000};
  }
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace assay::test
