// Reads one HTTP/1.1 answer from the bytes that a server sends, in pieces of any size.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/generators/http/call.h"

namespace assay::engine {

/// Feeds bytes to Beast's parser until one answer is complete.
class AnswerReader {
 public:
  static constexpr std::uint32_t kMaxHeadBytes = 64 << 10;

  /// `sink` outlives this; it hears of the head and of the body, of at most `max_body` bytes.
  AnswerReader(std::size_t max_body, ReplySink& sink);

  /// Whether the answer is complete. Throws: Fault for what is no HTTP or beyond a limit.
  bool take(std::string_view bytes, std::int64_t at_ns);
  /// The server closed the connection. Throws: Fault when the answer is not complete by that.
  void take_end(std::int64_t at_ns);

  [[nodiscard]] bool got_some() const { return parser_->got_some() || !pending_.empty(); }
  /// Whether another answer may follow on the connection.
  [[nodiscard]] bool keeps_connection() const {
    return pending_.empty() && parser_->is_done() && parser_->keep_alive();
  }

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  void restart();
  [[nodiscard]] bool informational() const;
  [[noreturn]] void refuse(const boost::system::error_code& error) const;
  void give_head();
  void give_body(std::int64_t at_ns);

  std::size_t max_body_;
  ReplySink& sink_;
  std::optional<Parser> parser_;
  std::string pending_;  // read, and not yet used by the parser
  bool head_given_ = false;
};

}  // namespace assay::engine
