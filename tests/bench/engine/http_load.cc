// What the streaming client costs: an open-loop load on a server of no model, which runs in a
// process of its own, and the processor time that the client's process used for it.
// usage: http_load RATE SECONDS TOKENS MILLISECONDS_PER_TOKEN
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "engine/session.h"

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace assay;
using namespace assay::engine;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kModels =
    R"({"object":"list","data":[{"id":"none","object":"model","created":1,"owned_by":"test"}]})";
constexpr std::string_view kChunk =
    R"({"id":"cmpl-0123456789","object":"text_completion","created":1795722769,"model":"none",)"
    R"("choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null}],"usage":null})";
constexpr std::string_view kLast =
    R"({"id":"cmpl-0123456789","object":"text_completion","created":1795722769,"model":"none",)"
    R"("choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"length"}],"usage":null})";

struct Shape {
  std::int64_t rate = 1000;  // requests a second
  std::int64_t seconds = 5;
  std::int64_t tokens = 8;
  std::int64_t token_ms = 10;
};

std::string chunk(std::string_view data) {
  const std::string event = fmt::format("data: {}\n\n", data);
  return fmt::format("{:x}\r\n{}\r\n", event.size(), event);
}

asio::awaitable<void> answer(tcp::socket& socket, const Shape& shape) {
  const std::string one = chunk(kChunk);
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string tail = chunk(kLast) + chunk("[DONE]") + "0\r\n\r\n";
  asio::steady_timer timer(socket.get_executor());
  timer.expires_after(std::chrono::milliseconds(0));
  for (std::int64_t i = 0; i < shape.tokens; ++i) {
    timer.expires_at(timer.expiry() + std::chrono::milliseconds(shape.token_ms));
    co_await timer.async_wait(kAsTuple);
    const std::string bytes = (i == 0 ? head : "") + one + (i + 1 == shape.tokens ? tail : "");
    const auto [error, size] = co_await asio::async_write(socket, asio::buffer(bytes), kAsTuple);
    if (error) co_return;
  }
}

asio::awaitable<void> serve(tcp::socket socket, const Shape& shape) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  std::string buffer;
  for (;;) {
    const auto [error, end] =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", kAsTuple);
    if (error) co_return;
    const std::size_t at = buffer.find("Content-Length: ");
    std::size_t length = 0;
    if (at < end) length = static_cast<std::size_t>(std::atoll(buffer.c_str() + at + 16));
    const bool models = buffer.starts_with("GET");
    while (buffer.size() < end + length) {
      char piece[4096];
      const auto [cut, size] = co_await socket.async_read_some(asio::buffer(piece), kAsTuple);
      if (cut) co_return;
      buffer.append(piece, size);
    }
    buffer.erase(0, end + length);
    if (models) {
      const std::string reply = fmt::format(
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
          kModels.size(), kModels);
      (void)co_await asio::async_write(socket, asio::buffer(reply), kAsTuple);
    } else {
      co_await answer(socket, shape);
    }
  }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, const Shape& shape) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kAsTuple);
    if (!error)
      asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), shape), asio::detached);
  }
}

struct Totals {
  std::atomic<std::int64_t> done{0};
  std::atomic<std::int64_t> errors{0};
  std::atomic<std::int64_t> tokens{0};
  std::atomic<std::int64_t> under_way{0};
  std::vector<double> late_ms;  // by the session's thread: from sent to the first token
};

class Count : public Listener {
 public:
  explicit Count(Totals& totals) : totals_(totals) {}
  void on_delta(const Delta& delta) override { totals_.tokens += delta.tokens; }
  void on_done(Completion completion) override {
    if (!completion.error.empty()) ++totals_.errors;
    const auto wait = completion.times.first_ns - completion.times.sent_ns;
    totals_.late_ms.push_back(static_cast<double>(wait) / 1e6);
    --totals_.under_way;
    ++totals_.done;
  }

 private:
  Totals& totals_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int load(std::uint16_t port, const Shape& shape) {
  EngineOptions options;
  options.model = fmt::format("http://127.0.0.1:{}/v1", port);
  const auto session = make_session(options);
  Totals totals;
  Request request;
  request.prompt.text = std::string(400, 'x');
  request.sampling.max_tokens = shape.tokens;
  const double cpu_before = cpu_seconds();
  const std::int64_t start = monotonic_ns();
  const std::int64_t count = shape.rate * shape.seconds;
  std::int64_t most = 0;
  // In groups of a millisecond, as a load generator's clock does.
  for (std::int64_t sent = 0; sent < count;) {
    const std::int64_t due = (monotonic_ns() - start) / 1000 * shape.rate / 1'000'000;
    for (; sent < std::min(due, count); ++sent) {
      ++totals.under_way;
      session->submit(request, std::make_shared<Count>(totals));
    }
    most = std::max<std::int64_t>(most, totals.under_way);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  while (totals.done < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const double wall = static_cast<double>(monotonic_ns() - start) / 1e9;
  const double cpu = cpu_seconds() - cpu_before;
  std::sort(totals.late_ms.begin(), totals.late_ms.end());
  const auto at = [&](double q) {
    return totals
        .late_ms[static_cast<std::size_t>(q * static_cast<double>(totals.late_ms.size() - 1))];
  };
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"requests\": {}, \"rate\": {:.0f}, \"tokens\": {}, \"errors\": {}, \"most_under_way\": "
      "{}, "
      "\"cpu_percent_of_core\": {:.2f}, \"cpu_us_per_request\": {:.1f}, \"first_token_ms_p50\": "
      "{:.2f}, "
      "\"first_token_ms_p99\": {:.2f}, \"peak_rss_mb\": {}}}\n",
      count, static_cast<double>(count) / wall, totals.tokens.load(), totals.errors.load(), most,
      100 * cpu / wall, 1e6 * cpu / static_cast<double>(count), at(0.5), at(0.99),
      usage.ru_maxrss / 1024);
  return totals.errors == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Shape shape;
  if (argc > 1) shape.rate = std::atoll(argv[1]);
  if (argc > 2) shape.seconds = std::atoll(argv[2]);
  if (argc > 3) shape.tokens = std::atoll(argv[3]);
  if (argc > 4) shape.token_ms = std::atoll(argv[4]);
  asio::io_context io{1};
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const std::uint16_t port = acceptor.local_endpoint().port();
  io.notify_fork(asio::io_context::fork_prepare);
  const pid_t server = fork();
  if (server == 0) {
    io.notify_fork(asio::io_context::fork_child);
    asio::co_spawn(io, accept(acceptor, shape), asio::detached);
    io.run();
    _exit(0);
  }
  io.notify_fork(asio::io_context::fork_parent);
  acceptor.close();
  int code = 1;
  try {
    code = load(port, shape);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
  }
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return code;
}
