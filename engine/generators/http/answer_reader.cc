#include "engine/generators/http/answer_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <chrono>

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/retry.h"
#include "engine/http_chunks.h"

namespace assay::engine {

namespace asio = boost::asio;
namespace http = boost::beast::http;

AnswerReader::AnswerReader(std::size_t max_body, ReplySink& sink)
    : max_body_(max_body), sink_(sink) {
  restart();
}

bool AnswerReader::take(std::string_view bytes, std::int64_t at_ns) {
  if (!pending_.empty()) {
    pending_ += bytes;
    if (parser_->is_header_done() && pending_.size() < kLeastChunkBytes) return false;
    bytes = pending_;
  }
  while (!parser_->is_done() && !bytes.empty()) {
    boost::system::error_code error;
    bytes.remove_prefix(parser_->put(asio::buffer(bytes), error));
    if (parser_->is_header_done() && !head_given_) give_head();
    give_body(at_ns);
    if (error == http::error::need_more) {
      if (parser_->is_header_done() && bytes.size() > kMaxHeadBytes) {
        throw Fault(FaultKind::kMalformed,
                    fmt::format("the head of a chunk has more than {} bytes", kMaxHeadBytes));
      }
      break;
    }
    if (error) refuse(error);
    if (parser_->is_done() && informational()) restart();
  }
  // What the parser could not use yet; most pieces end where a part of the message ends.
  pending_ = std::string(bytes);
  return parser_->is_done();
}

void AnswerReader::take_end(std::int64_t at_ns) {
  // Without a byte there is no message that could be complete, whatever the parser says.
  if (!got_some()) throw Fault(FaultKind::kConnection, "the server closed the connection");
  boost::system::error_code error;
  parser_->put_eof(error);
  if (error || !parser_->is_done()) throw Fault(FaultKind::kConnection, "the answer was cut");
  give_body(at_ns);
}

void AnswerReader::restart() {
  parser_.emplace();
  parser_->header_limit(kMaxHeadBytes);
  parser_->body_limit(max_body_);
  parser_->eager(true);
  head_given_ = false;
}

bool AnswerReader::informational() const {
  const unsigned status = parser_->get().result_int();
  return status >= 100 && status < 200 && status != 101;
}

void AnswerReader::refuse(const boost::system::error_code& error) const {
  if (error == http::error::body_limit) {
    throw Fault(FaultKind::kMalformed, fmt::format("the answer has more than {} bytes", max_body_));
  }
  if (error == http::error::header_limit) {
    throw Fault(FaultKind::kMalformed,
                fmt::format("the answer's head has more than {} bytes", kMaxHeadBytes));
  }
  throw Fault(FaultKind::kMalformed, "the answer is no HTTP: " + error.message());
}

void AnswerReader::give_head() {
  head_given_ = true;
  if (informational()) return;
  const auto& reply = parser_->get();
  const auto field = [&](http::field name) { return std::string_view(reply[name]); };
  const std::string_view encoding = field(http::field::content_encoding);
  if (!encoding.empty() && to_lower_ascii(encoding) != "identity") {
    throw Fault(FaultKind::kMalformed, "the server compresses (" + escaped(encoding, 40) +
                                           ") what was asked for as it is");
  }
  const boost::beast::string_view told = reply["retry-after-ms"];
  sink_.on_head(
      {.status = reply.result_int(),
       .content_type = std::string(field(http::field::content_type)),
       .location = std::string(field(http::field::location)),
       .retry_after = told_wait({told.data(), told.size()}, field(http::field::retry_after),
                                std::chrono::system_clock::now())});
}

void AnswerReader::give_body(std::int64_t at_ns) {
  if (!parser_->is_header_done()) return;
  std::string& body = parser_->get().body();
  if (body.empty()) return;
  sink_.on_body(body, at_ns);
  body.clear();
}

}  // namespace assay::engine
