// Any bytes as what an HTTP server sends: one answer or a Fault, and in pieces of any size the same
// one, within its limit.
#include <string>

#include "base/check.h"
#include "engine/generators/http/answer_reader.h"
#include "engine/generators/http/fault.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\ndata:\r\n1;ext=1\r\n \r\n0\r\nTrailer: x\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
      "HTTP/1.1 429 Too Many Requests\r\nRetry-After: Wed, 21 Oct 2037 07:28:00 GMT\r\n"
      "retry-after-ms: 12.5\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nConnection: close\r\n\r\nuntil the end",
      "HTTP/1.0 301 Moved\r\nLocation: http://other/\r\nContent-Encoding: gzip\r\n\r\n",
      "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  };
}

namespace {

constexpr std::size_t kMostBody = 2000;

struct Kept : engine::ReplySink {
  void on_sent(std::int64_t) override {}
  void on_head(const engine::ReplyHead& head) override {
    ++heads;
    ASSAY_CHECK(heads == 1, "one head");
    // How long a date is away changes from call to call.
    ASSAY_CHECK(!head.retry_after || head.retry_after->count() >= 0, "a wait");
    text = fmt::format("{} {} {} {}\n", head.status, head.content_type, head.location,
                       head.retry_after.has_value());
  }
  void on_body(std::string_view bytes, std::int64_t) override {
    ASSAY_CHECK(heads == 1, "a body after its head");
    body += bytes;
    ASSAY_CHECK(body.size() <= kMostBody, "within the limit");
  }
  int heads = 0;
  std::string text;
  std::string body;
};

/// The answer, or "fault"; in pieces of `piece` bytes.
std::string outcome(std::string_view bytes, std::size_t piece) {
  Kept kept;
  engine::AnswerReader reader(kMostBody, kept);
  try {
    bool done = false;
    for (std::size_t at = 0; at < bytes.size() && !done; at += piece) {
      done = reader.take(bytes.substr(at, piece), 1);
    }
    if (!done) reader.take_end(2);
  } catch (const engine::Fault& fault) {
    ASSAY_CHECK(!fault.text.empty(), "a fault says why");
    return "fault";
  }
  (void)reader.keeps_connection();
  return kept.text + kept.body;
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = assay::fuzz::text_of(data, size);
  const std::string whole = assay::fuzz::outcome(text, size + 1);
  ASSAY_CHECK(whole == assay::fuzz::outcome(text, 1 + size / 5), "pieces");
  if (size <= 512) ASSAY_CHECK(whole == assay::fuzz::outcome(text, 1), "single bytes");
  return 0;
}
