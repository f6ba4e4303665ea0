#include "engine/parallel/wire.h"

#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "engine/parallel/process_group.h"

namespace assay::engine {
namespace {

using asio::use_awaitable;

constexpr std::uint32_t kMostDocument = 4096;
constexpr std::uint64_t kMostText = std::uint64_t{64} << 20;  // a step's batch is far smaller
constexpr std::size_t kShownReason = 2000;

}  // namespace

asio::awaitable<void> send_document(Socket& socket, const Json& document) {
  const std::string text = document.dump();
  const auto size = static_cast<std::uint32_t>(text.size());
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(&size, sizeof(size)),
                                                   asio::buffer(text)};
  co_await asio::async_write(socket, parts, use_awaitable);
}

asio::awaitable<Json> receive_document(Socket& socket) {
  std::uint32_t size = 0;
  co_await asio::async_read(socket, asio::buffer(&size, sizeof(size)), use_awaitable);
  if (size > kMostDocument) throw_environment("speaks another protocol");
  std::string text(size, '\0');
  co_await asio::async_read(socket, asio::buffer(text), use_awaitable);
  try {
    co_return parse_json(text, "greeting");
  } catch (const Error&) {
    throw_environment("speaks another protocol");
  }
}

Link::Link(Socket connected, std::string name)
    : socket_(std::move(connected)), name_(std::move(name)) {
  socket_.set_option(asio::ip::tcp::no_delay(true));
}

asio::awaitable<void> Link::send(FrameKind kind, asio::const_buffer content) {
  const Header header{static_cast<std::uint32_t>(kind), sent_++, content.size()};
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(&header, sizeof(header)), content};
  co_await asio::async_write(socket_, parts, use_awaitable);
}

asio::awaitable<Link::Header> Link::receive_header() {
  Header header;
  co_await asio::async_read(socket_, asio::buffer(&header, sizeof(header)), use_awaitable);
  if (header.number != received_++) {
    throw_environment("{} sent frame {} where {} was due", name_, header.number, received_ - 1);
  }
  co_return header;
}

asio::awaitable<std::string> Link::receive_content(Header header) {
  if (header.bytes > kMostText) throw_environment("{} sent {} bytes", name_, header.bytes);
  std::string text(header.bytes, '\0');
  co_await asio::async_read(socket_, asio::buffer(text), use_awaitable);
  co_return text;
}

asio::awaitable<void> Link::refuse(Header header) {
  const auto kind = static_cast<FrameKind>(header.kind);
  if (kind == FrameKind::kFailure) {
    const std::string reason = co_await receive_content(header);
    throw_environment("{} failed: {}", name_, escaped(reason, kShownReason));
  }
  if (kind == FrameKind::kEnd) {
    const std::string text = co_await receive_content(header);
    const std::size_t blank = std::min(text.find(' '), text.size());
    const auto code = parse_int(text.substr(0, blank));
    co_await send(FrameKind::kBye, {});
    throw GroupEnded(static_cast<int>(code.value_or(static_cast<int>(ExitCode::kEnvironment))),
                     text.substr(std::min(blank + 1, text.size())));
  }
  throw_environment("{} sent what was not asked for (kind {}, {} bytes)", name_, header.kind,
                    header.bytes);
}

asio::awaitable<void> Link::receive_data(asio::mutable_buffer to) {
  const Header header = co_await receive_header();
  if (static_cast<FrameKind>(header.kind) != FrameKind::kData || header.bytes != to.size()) {
    co_await refuse(header);
  }
  co_await asio::async_read(socket_, to, use_awaitable);
}

asio::awaitable<std::string> Link::receive_text() {
  const Header header = co_await receive_header();
  if (static_cast<FrameKind>(header.kind) != FrameKind::kText) co_await refuse(header);
  co_return co_await receive_content(header);
}

asio::awaitable<void> Link::receive_bye() {
  for (;;) {
    const Header header = co_await receive_header();
    std::array<char, 4096> dropped;
    for (std::uint64_t left = header.bytes; left > 0;) {
      left -= co_await socket_.async_read_some(
          asio::buffer(dropped.data(), std::min<std::uint64_t>(left, dropped.size())),
          use_awaitable);
    }
    if (static_cast<FrameKind>(header.kind) == FrameKind::kBye) co_return;
  }
}

struct Deadline::Timer {
  asio::steady_timer timer;
  bool over = false;
};

Deadline::Deadline(Socket& socket, std::chrono::milliseconds limit)
    : timer_(std::make_shared<Timer>(Timer{asio::steady_timer(socket.get_executor(), limit)})) {
  timer_->timer.async_wait([timer = timer_, &socket](const boost::system::error_code& code) {
    boost::system::error_code ignored;
    if (!code && !timer->over) socket.close(ignored);
  });
}

Deadline::~Deadline() {
  timer_->over = true;
  timer_->timer.cancel();
}

}  // namespace assay::engine
