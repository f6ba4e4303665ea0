#include "tests/engine/server/load.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <string_view>

#include "base/clock.h"
#include "tests/support/http_client.h"

namespace assay::test {
namespace {

namespace asio = boost::asio;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kText = "\"text\":\"";
constexpr std::string_view kDone = "data: [DONE]";

/// Reads one stream: the times in its tokens, and its end.
class StreamReader {
 public:
  void take(std::string_view bytes, LoadResult& result) {
    const std::int64_t now = monotonic_ns();
    pending_ += bytes;
    std::size_t used = 0;
    for (std::size_t end = pending_.find("\n\n"); end != std::string::npos;
         end = pending_.find("\n\n", used)) {
      const std::string_view event = std::string_view(pending_).substr(used, end - used);
      const std::size_t text = event.find(kText);
      if (text != std::string_view::npos) {
        const std::int64_t made = std::atoll(event.data() + text + kText.size());
        if (made > 0) {
          result.added_ms.push_back(static_cast<double>(now - made) * 1e-6);
          ++tokens_;
        }
      }
      done_ = done_ || event.find(kDone) != std::string_view::npos;
      used = end + 2;
    }
    pending_.erase(0, used);
  }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }

 private:
  std::string pending_;
  std::int64_t tokens_ = 0;
  bool done_ = false;
};

asio::awaitable<void> run_client(asio::io_context& io, const LoadPlan& plan, std::size_t index,
                                 LoadResult& result) {
  asio::steady_timer start(io, plan.spread * index / plan.clients);
  co_await start.async_wait(kNoThrow);
  asio::ip::tcp::socket socket(io);
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(), plan.port);
  const auto [refused] = co_await socket.async_connect(server, kNoThrow);
  if (refused) {
    result.errors.push_back("connect: " + refused.message());
    co_return;
  }
  socket.set_option(asio::ip::tcp::no_delay(true));
  const std::string request =
      post("/v1/completions",
           fmt::format(R"({{"prompt": "x", "max_tokens": {}, "stream": true}})", plan.tokens));
  co_await asio::async_write(socket, asio::buffer(request), kNoThrow);
  StreamReader reader;
  std::string bytes(4096, '\0');
  while (!reader.done()) {
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(bytes), kNoThrow);
    if (error) {
      result.errors.push_back("read: " + error.message());
      co_return;
    }
    reader.take(std::string_view(bytes).substr(0, size), result);
  }
  if (reader.tokens() == plan.tokens) {
    ++result.complete;
  } else {
    result.errors.push_back(fmt::format("{} tokens", reader.tokens()));
  }
}

}  // namespace

LoadResult run_load(const LoadPlan& plan) {
  LoadResult result;
  result.added_ms.reserve(plan.clients * static_cast<std::size_t>(plan.tokens));
  asio::io_context io(1);
  for (std::size_t i = 0; i < plan.clients; ++i) {
    asio::co_spawn(io, run_client(io, plan, i, result), asio::detached);
  }
  io.run();
  return result;
}

}  // namespace assay::test
