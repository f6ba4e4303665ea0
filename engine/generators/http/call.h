// One HTTP exchange that is part of answering a request, in the words of both sides of the client:
// what is asked and heard (dialogue.h) and how it travels (connection.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assay::engine {

struct HttpCall {
  std::string path;                               // after the base address: "/completions"
  std::string body;                               // JSON; "": a GET
  bool stream = false;                            // an event stream is wanted
  std::size_t max_reply = std::size_t{32} << 20;  // bytes of the body
};

/// The head of an answer.
struct ReplyHead {
  unsigned status = 0;
  std::string content_type;
  std::string location;  // of a redirect
  std::optional<std::chrono::milliseconds> retry_after;
};

/// Takes an answer as it comes. May throw Fault, which ends the exchange.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void on_sent(std::int64_t at_ns) = 0;  // just before the first byte is written
  virtual void on_head(const ReplyHead& head) = 0;
  virtual void on_body(std::string_view bytes, std::int64_t at_ns) = 0;
};

}  // namespace assay::engine
