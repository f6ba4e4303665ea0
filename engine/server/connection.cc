#include "engine/server/connection.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/server/on_worker.h"

namespace assay::engine {
namespace {

namespace asio = boost::asio;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kWritePart = 64 << 10;  // bytes that one write time is for
constexpr std::size_t kMostLingering = 1 << 20;
constexpr std::chrono::milliseconds kLingerTime{1000};

}  // namespace

Connection::Connection(ServerState& state, asio::ip::tcp::socket socket, bool reserved)
    : state_(state),
      socket_(std::move(socket)),
      bell_(std::make_shared<asio::steady_timer>(state.io)),
      reserved_(reserved) {
  state_.connections.insert(this);
  ++state_.metrics.connections;
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

Connection::~Connection() {
  state_.connections.erase(this);
  --state_.metrics.connections;
}

void Connection::check(Clock::time_point now) {
  if (now < deadline_) return;
  deadline_ = Clock::time_point::max();
  overdue_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::abort() {
  aborted_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  bell_->cancel();
}

void Connection::drain() {
  open_ = false;
  if (idle_) abort();
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = Clock::now() + from_now;
  overdue_ = false;
}

asio::awaitable<void> Connection::run() {
  // GCC 12 makes wrong code of a condition that awaits and then leaves the coroutine; so everywhere
  // here what is awaited gets a name first.
  bool usable = true;
  while (usable && open_) {
    usable = co_await exchange();
  }
  if (usable) co_await linger();
}

asio::awaitable<bool> Connection::wait_for_bytes() {
  if (buffer_.size() > 0) co_return true;
  set_deadline(state_.options.idle_time);
  const auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(4096), kNoThrow);
  buffer_.commit(bytes);
  co_return !error;
}

std::optional<ApiError> Connection::refusal(const RequestReader& reader) const {
  if (overdue_) return ApiError(408, "the request took too long to arrive");
  if (reader.fault()) return reader.fault();
  const HttpRequest& head = reader.request();
  try {
    state_.routes.admit(head);
  } catch (const ApiError& error) {
    return error;
  }
  const bool always = head.path == "/health" || head.path == "/metrics";
  if (reserved_ && !always) {
    ApiError busy(503, "too many connections", "", "too_many_connections");
    busy.retry_after_s = 1;
    return busy;
  }
  return std::nullopt;
}

asio::awaitable<bool> Connection::exchange() {
  idle_ = true;
  const bool is_there = co_await wait_for_bytes();
  if (!is_there) co_return false;
  idle_ = false;
  begun_ns_ = monotonic_ns();
  RequestReader reader(state_.options.max_body_bytes);
  set_deadline(state_.options.header_time);
  const bool has_head = co_await reader.read_head(socket_, buffer_);
  if (!has_head && !reader.fault() && !overdue_) co_return false;
  head_only_ = reader.request().method == "HEAD";
  old_version_ = has_head && reader.old_version();
  path_ = state_.routes.label(reader.request().path);
  open_ = open_ && has_head && reader.keep_alive();
  std::optional<ApiError> refused = refusal(reader);
  if (!refused) {
    if (reader.expects_continue()) co_await write("HTTP/1.1 100 Continue\r\n\r\n");
    set_deadline(state_.options.body_time);
    const bool has_body = co_await reader.read_body(socket_, buffer_);
    if (!has_body && !reader.fault() && !overdue_) co_return false;
    if (!has_body) refused = refusal(reader);
  }
  deadline_ = Clock::time_point::max();
  // What was not read, or could be read in two ways, must not be taken for the next request.
  if (!reader.complete() || reader.fault()) open_ = false;
  if (refused) {
    co_await reply(error_reply(*refused));
  } else {
    co_await answer(reader.request());
  }
  co_return !gone_ && !aborted_;
}

asio::awaitable<void> Connection::answer(const HttpRequest& request) {
  HttpReply out;
  try {
    if (request.path == "/health") {
      const bool lost = !state_.session.lost().empty();
      out.status = lost || state_.draining ? 503 : 200;
      out.body = fmt::format("{{\"status\":\"{}\"}}",
                             lost ? "lost" : (state_.draining ? "draining" : "ok"));
    } else if (request.path == "/metrics") {
      out.content_type = "text/plain; version=0.0.4; charset=utf-8";
      out.body = state_.metrics.print(state_.routes.model_name());
    } else if (Routes::generates(request.path)) {
      co_await generate(request);
      co_return;
    } else if (request.path.starts_with("/v1/models")) {
      out = state_.routes.answer(request);
    } else {
      out = co_await on_worker(state_, [&] { return state_.routes.answer(request); });
    }
  } catch (const ApiError& error) {
    out = error_reply(error);
  } catch (const std::exception& error) {
    log_warning("{}: {}", path_, escaped(error.what(), 1000));
    out = error_reply(ApiError(500, "this is a bug in assay, please report it"));
    open_ = false;
  }
  if (!gone_) co_await reply(out);
}

asio::awaitable<void> Connection::reply(const HttpReply& reply) {
  count(reply.status);
  std::string out = fmt::format(
      "HTTP/1.1 {} {}\r\nServer: assay\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n",
      reply.status, status_text(reply.status), reply.content_type, reply.body.size());
  for (const auto& [name, value] : reply.headers) out += fmt::format("{}: {}\r\n", name, value);
  out += fmt::format("Connection: {}\r\n\r\n", open_ ? "keep-alive" : "close");
  if (!head_only_) out += reply.body;
  co_await write(out);
}

/// A part of an event stream as it goes over the wire.
std::string Connection::frame(std::string_view events, bool begins, bool ends) const {
  std::string out;
  if (begins) {
    out = fmt::format(
        "HTTP/1.1 200 OK\r\nServer: assay\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n{}Connection: {}\r\n\r\n",
        old_version_ ? "" : "Transfer-Encoding: chunked\r\n", open_ ? "keep-alive" : "close");
  }
  if (old_version_) return out += events;
  out += fmt::format("{:x}\r\n{}\r\n", events.size(), events);
  if (ends) out += "0\r\n\r\n";
  return out;
}

asio::awaitable<void> Connection::write(std::string_view bytes) {
  if (gone_) co_return;
  set_deadline(state_.options.write_time * static_cast<int>(1 + bytes.size() / kWritePart));
  const auto [error, done] =
      co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), kNoThrow);
  deadline_ = Clock::time_point::max();
  if (error) gone_ = true;
}

/// Takes what the client still sends for a while: closing at once could reset the connection
/// before the client has read its reply.
asio::awaitable<void> Connection::linger() {
  boost::system::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  std::string sink(16 << 10, '\0');
  std::size_t total = 0;
  set_deadline(kLingerTime);
  while (!error && !overdue_ && !aborted_ && total < kMostLingering) {
    const auto [failed, bytes] = co_await socket_.async_read_some(asio::buffer(sink), kNoThrow);
    error = failed;
    total += bytes;
  }
}

void Connection::count(int status) {
  ++state_.metrics.requests[{path_, status}];
  state_.metrics.request_seconds.add(static_cast<double>(monotonic_ns() - begun_ns_) * 1e-9);
}

}  // namespace assay::engine
