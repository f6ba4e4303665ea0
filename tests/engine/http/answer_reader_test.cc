// Answers as they come from a socket; other bytes than these: tests/fuzz/fuzz_http_answer.cc.
#include "engine/generators/http/answer_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/generators/http/fault.h"

namespace assay::engine {
namespace {

constexpr const char* kChunkedHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

struct Kept : ReplySink {
  void on_sent(std::int64_t) override {}
  void on_head(const ReplyHead& head) override { status = head.status; }
  void on_body(std::string_view bytes, std::int64_t) override { body += bytes; }
  unsigned status = 0;
  std::string body;
};

/// Beast 1.81 asserts that the rest of an empty last chunk comes in one piece; a server owes nobody
/// that.
TEST(AnswerReader, AnEmptyBodyMayEndByteByByte) {
  for (const std::string content : {"", "2\r\nab\r\n"}) {
    Kept kept;
    AnswerReader reader(1000, kept);
    const std::string text = kChunkedHead + content + "0\r\n\r\n";
    for (std::size_t i = 0; i < text.size(); ++i) {
      EXPECT_EQ(reader.take(text.substr(i, 1), 1), i + 1 == text.size());
    }
    EXPECT_EQ(kept.status, 200U);
    EXPECT_EQ(kept.body, content.empty() ? "" : "ab");
    EXPECT_TRUE(reader.keeps_connection());
  }
}

TEST(AnswerReader, TheHeadOfAChunkIsBounded) {
  for (const std::string begin : {"2;", "0\r\nTrailer: "}) {
    Kept kept;
    AnswerReader reader(1000, kept);
    reader.take(kChunkedHead + begin, 1);
    EXPECT_THROW(
        {
          for (int i = 0; i < 100; ++i) reader.take(std::string(1000, 'a'), 1);
        },
        Fault);
  }
}

}  // namespace
}  // namespace assay::engine
