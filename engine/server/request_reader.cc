#include "engine/server/request_reader.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <iterator>
#include <string>

#include "base/text.h"
#include "engine/http_chunks.h"

namespace assay::engine {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

using Fields = http::request<http::string_body>;

std::string field(const Fields& fields, http::field name) {
  const auto value = fields[name];
  return {value.data(), value.size()};
}

std::size_t count(const Fields& fields, http::field name) {
  const auto range = fields.equal_range(name);
  return static_cast<std::size_t>(std::distance(range.first, range.second));
}

ApiError fault_of(const boost::system::error_code& error) {
  if (error == http::error::body_limit) return {413, "the body is larger than this server takes"};
  if (error == http::error::bad_version) return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  return {400, "the request is not HTTP/1.1: " + error.message()};
}

}  // namespace

std::optional<std::size_t> HeadScanner::scan(std::string_view bytes) {
  for (; seen_ < bytes.size(); ++seen_) {
    const auto byte = static_cast<unsigned char>(bytes[seen_]);
    const char before = seen_ == 0 ? '\0' : bytes[seen_ - 1];
    const bool after_line = seen_ > 1 && before == '\n';
    if ((byte == '\n') != (before == '\r')) {
      throw ApiError(400, "a line of the header does not end with CR LF");
    }
    if (byte == 0x7f || (byte < 0x20 && byte != '\r' && byte != '\n' && byte != '\t')) {
      throw ApiError(400, "a control character stands in the header");
    }
    if (after_line && (byte == ' ' || byte == '\t')) {
      throw ApiError(400, "a line of the header is folded");
    }
    if (byte == '\n' && bytes.substr(0, seen_ + 1).ends_with("\r\n\r\n")) return ++seen_;
    if (seen_ >= kMaxHeaderBytes) throw ApiError(431, "the header is larger than 64 KiB");
  }
  return std::nullopt;
}

RequestReader::RequestReader(std::size_t max_body) {
  parser_.header_limit(2 * kMaxHeaderBytes);  // ours is checked before
  parser_.body_limit(max_body);
}

asio::awaitable<bool> RequestReader::read_head(asio::ip::tcp::socket& socket,
                                               boost::beast::flat_buffer& buffer) {
  HeadScanner scanner;
  std::optional<std::size_t> size;
  while (!size) {
    try {
      const auto bytes = buffer.cdata();
      size = scanner.scan({static_cast<const char*>(bytes.data()), bytes.size()});
    } catch (const ApiError& error) {
      fault_ = error;
    }
    if (fault_) co_return false;
    if (size) break;
    const auto [error, count] = co_await socket.async_read_some(buffer.prepare(4096), kNoThrow);
    buffer.commit(count);
    if (error) co_return false;
  }
  co_return parse_head(buffer, *size);
}

bool RequestReader::parse_head(boost::beast::flat_buffer& buffer, std::size_t size) {
  boost::system::error_code error;
  const std::size_t used = parser_.put(asio::buffer(buffer.cdata(), size), error);
  buffer.consume(used);
  // An empty line before the request is all that came.
  if (error == http::error::need_more) error = http::error::bad_method;
  if (!settle(error)) return false;
  take_head();
  check_head();
  return !fault_;
}

asio::awaitable<bool> RequestReader::read_body(asio::ip::tcp::socket& socket,
                                               boost::beast::flat_buffer& buffer) {
  while (!parser_.is_done()) {
    const std::size_t least = leftover_ ? std::max(leftover_ + 1, kLeastChunkBytes) : 1;
    if (leftover_ > kMaxHeaderBytes) fault_.emplace(400, "a chunk's head is larger than 64 KiB");
    if (fault_) co_return false;
    if (buffer.size() < least) {
      const auto [error, count] = co_await socket.async_read_some(buffer.prepare(65536), kNoThrow);
      buffer.commit(count);
      if (error) co_return false;
      continue;
    }
    boost::system::error_code error;
    buffer.consume(parser_.put(buffer.cdata(), error));
    leftover_ = error == http::error::need_more ? buffer.size() : 0;
    if (error && error != http::error::need_more) co_return settle(error);
  }
  request_.body = std::move(parser_.get().body());
  co_return true;
}

bool RequestReader::settle(const boost::system::error_code& error) {
  if (!error) return true;
  static const auto& http_errors = http::make_error_code(http::error::bad_method).category();
  const bool cut = error == http::error::end_of_stream || error == http::error::partial_message;
  if (error.category() == http_errors && !cut) fault_ = fault_of(error);
  return false;
}

void RequestReader::take_head() {
  const Fields& head = parser_.get();
  const std::string target(head.target().data(), head.target().size());
  request_.method = std::string(head.method_string().data(), head.method_string().size());
  request_.path = target.substr(0, target.find('?'));
  request_.host = field(head, http::field::host);
  request_.content_type = to_lower_ascii(field(head, http::field::content_type));
  request_.authorization = field(head, http::field::authorization);
  expects_continue_ = to_lower_ascii(field(head, http::field::expect)) == "100-continue";
}

void RequestReader::check_head() {
  const Fields& head = parser_.get();
  const auto refuse = [&](int status, const char* reason) {
    if (!fault_) fault_.emplace(status, reason);
  };
  const std::size_t codings = count(head, http::field::transfer_encoding);
  const std::size_t lengths = count(head, http::field::content_length);
  const bool chunked = to_lower_ascii(field(head, http::field::transfer_encoding)) == "chunked";
  if (codings > 0 && (codings > 1 || !chunked)) {
    refuse(501, "no transfer coding but chunked is known here");
  }
  if (codings > 0 && (lengths > 0 || old_version())) {
    refuse(400, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
  }
  const std::string length = field(head, http::field::content_length);
  if (length.find_first_not_of("0123456789") != std::string::npos) {
    refuse(400, "Content-Length is not a number");
  }
  if (lengths > 1) refuse(400, "Content-Length stands more than once");
  if (count(head, http::field::host) > 1) refuse(400, "Host stands more than once");
  if (count(head, http::field::host) == 0 && !old_version()) refuse(400, "Host is missing");
  if (count(head, http::field::authorization) > 1 || count(head, http::field::content_type) > 1) {
    refuse(400, "a field that may stand once stands more than once");
  }
  if (static_cast<std::size_t>(std::distance(head.begin(), head.end())) > kMaxHeaderLines) {
    refuse(431, "the header has more than 100 lines");
  }
  if (head.target().size() > kMaxTarget) refuse(414, "the target is longer than 8 KiB");
  if (!request_.path.starts_with('/')) refuse(400, "the target is not a path");
  if (!field(head, http::field::expect).empty() && !expects_continue_) {
    refuse(417, "no expectation but 100-continue is known here");
  }
  if (request_.method == "POST" && codings + lengths == 0) {
    refuse(411, "the length of the body is missing");
  }
}

}  // namespace assay::engine
