#include "tests/bench/suites/bare_calls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "base/clock.h"
#include "suites/bench/arrivals.h"

namespace assay::suites {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

class BareLoad {
 public:
  explicit BareLoad(int port) : port_(port) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = timer_}};
    checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event), "epoll_ctl");
  }
  ~BareLoad() {
    for (const int fd : all_) ::close(fd);
    ::close(timer_);
    ::close(epoll_);
  }
  BareLoad(const BareLoad&) = delete;
  BareLoad& operator=(const BareLoad&) = delete;
  BareLoad(BareLoad&&) = delete;
  BareLoad& operator=(BareLoad&&) = delete;

  void run(const std::vector<std::int64_t>& schedule) {
    const std::int64_t begin = monotonic_ns();
    for (std::size_t next = 0; next < schedule.size();) {
      arm(begin + schedule[next]);
      receive();
      for (; next < schedule.size() && begin + schedule[next] <= monotonic_ns(); ++next) {
        send(next);
      }
    }
  }

 private:
  void arm(std::int64_t due) const {
    const itimerspec when{
        .it_interval = {},
        .it_value = {.tv_sec = due / 1'000'000'000, .tv_nsec = due % 1'000'000'000}};
    checked(::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
  }

  void receive() {
    std::array<epoll_event, 128> events{};
    const int count =
        checked(::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1), "wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == timer_) continue;
      if (::recv(fd, buffer_.data(), buffer_.size(), 0) > 0) idle_.push_back(fd);
    }
  }

  void send(std::size_t number) {
    if (idle_.empty()) connect();
    const int fd = idle_.back();
    idle_.pop_back();
    const std::string body = fmt::format(
        R"({{"model":"scripted","prompt":[{},7,7,7,7,7,7,7,7,7,7,7,7,7,7,7],"max_tokens":1,)"
        R"("temperature":0.0,"ignore_eos":true,"stream":true}})",
        number);
    const std::string text = fmt::format(
        "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\n\r\n{}",
        port_, body.size(), body);
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) checked(-1, "send");
  }

  void connect() {
    const int fd = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    all_.push_back(fd);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "connect");
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    checked(::fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = fd}};
    checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    idle_.push_back(fd);
  }

  int port_;
  int epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  int timer_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd");
  std::array<char, 16384> buffer_{};
  std::vector<int> idle_;  // the one that was used last at the end
  std::vector<int> all_;
};

}  // namespace

std::int64_t send_bare(int port, double per_second, double seconds) {
  const std::vector<std::int64_t> schedule =
      arrival_schedule(Arrivals::kPoisson, per_second, seconds, 0, 1);
  BareLoad(port).run(schedule);
  return std::ssize(schedule);
}

}  // namespace assay::suites
