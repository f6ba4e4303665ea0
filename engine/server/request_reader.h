// Reads one HTTP/1.1 request from a socket, strictly: what two readers could take differently is
// refused. Source: RFC 9112, sections 2.2, 5, 6 and 11.2.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <optional>
#include <string_view>

#include "engine/server/http.h"

namespace assay::engine {

inline constexpr std::size_t kMaxHeaderBytes = 64 << 10;

/// Looks at the bytes of a header as they come, before any of it is understood.
class HeadScanner {
 public:
  /// `bytes`: all that came so far. Returns the header's size, its empty line included, once it is
  /// whole. Throws: ApiError(400) for bytes that no header has: control characters, bare line
  /// ends, folded lines; ApiError(431) beyond 64 KiB.
  std::optional<std::size_t> scan(std::string_view bytes);

 private:
  std::size_t seen_ = 0;
};

class RequestReader {
 public:
  static constexpr std::size_t kMaxHeaderLines = 100;
  static constexpr std::size_t kMaxTarget = 8 << 10;

  explicit RequestReader(std::size_t max_body);

  /// Bytes beyond the request stay in `buffer`. False: the connection broke, or `fault` says what
  /// is wrong with the request.
  boost::asio::awaitable<bool> read_head(boost::asio::ip::tcp::socket& socket,
                                         boost::beast::flat_buffer& buffer);
  boost::asio::awaitable<bool> read_body(boost::asio::ip::tcp::socket& socket,
                                         boost::beast::flat_buffer& buffer);

  [[nodiscard]] const HttpRequest& request() const { return request_; }
  [[nodiscard]] const std::optional<ApiError>& fault() const { return fault_; }
  /// The client wants to send another request after this one.
  [[nodiscard]] bool keep_alive() const { return parser_.get().keep_alive(); }
  [[nodiscard]] bool old_version() const { return parser_.get().version() < 11; }
  /// The client waits for leave to send the body.
  [[nodiscard]] bool expects_continue() const { return expects_continue_ && !parser_.is_done(); }
  /// All of the request was read.
  [[nodiscard]] bool complete() const { return parser_.is_done(); }

 private:
  /// Lets the parser have the header, which is whole.
  bool parse_head(boost::beast::flat_buffer& buffer, std::size_t size);
  /// What the parser lets pass and this server does not.
  void check_head();
  void take_head();
  bool settle(const boost::system::error_code& error);

  boost::beast::http::request_parser<boost::beast::http::string_body> parser_;
  HttpRequest request_;
  std::optional<ApiError> fault_;
  bool expects_continue_ = false;
  std::size_t leftover_ = 0;  // bytes of a chunk's head that the parser could not use yet
};

}  // namespace assay::engine
