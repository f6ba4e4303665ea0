// Requests that no honest client sends. Each gets the named status, or a closed connection, and the
// next client is served as if nothing had been.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "engine/server/request_reader.h"
#include "tests/engine/server/running_server.h"
#include "tests/support/scripted_session.h"

namespace assay::engine {
namespace {

using test::get;
using test::post;
using test::RawClient;
using test::RawReply;
using test::RunningServer;
using test::ScriptedSession;

constexpr const char* kBody = R"({"prompt": "x", "max_tokens": 1})";

struct Hostile {
  const char* name;
  std::string bytes;
  int status;  // 0: closed without a reply
};

std::string header_with(const std::string& lines, std::string_view body = kBody) {
  return "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
         lines + "\r\n" + std::string(body);
}

std::string many_lines(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += fmt::format("X-{}: 1\r\n", i);
  return out;
}

std::vector<Hostile> hostile_heads() {
  const std::string size = std::to_string(std::string_view(kBody).size());
  const std::string length = "Content-Length: " + size + "\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  return {
      {"no HTTP", "hello\r\n\r\n", 400},
      {"TLS",
       std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(200, 'x'),
       400},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"unknown version", "GET /health HTTP/3.7\r\nHost: localhost\r\n\r\n", 505},
      {"header beyond 64 KiB", get("/health", "X: " + std::string(70 << 10, 'a') + "\r\n"), 431},
      {"more than 100 lines", get("/health", many_lines(120)), 431},
      {"target beyond 8 KiB", get("/" + std::string(9 << 10, 'a')), 414},
      {"bare line ends", "GET /health HTTP/1.1\nHost: localhost\n\n", 400},
      {"blank in a name", get("/health", "X y: 1\r\n"), 400},
      {"blank before the colon", header_with("Content-Length : " + size + "\r\n"), 400},
      {"NUL in a value", get("/health", std::string("X: a\0b\r\n", 8)), 400},
      {"no host", "GET /health HTTP/1.1\r\n\r\n", 400},
      {"two hosts", get("/health", "Host: localhost\r\n"), 400},
      {"absolute target", "GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"length twice, the same", header_with(length + length), 400},
      {"length twice, different", header_with(length + "Content-Length: 3\r\n"), 400},
      {"length as a list", header_with("Content-Length: " + size + ", " + size + "\r\n"), 400},
      {"negative length", header_with("Content-Length: -1\r\n"), 400},
      {"signed length", header_with("Content-Length: +5\r\n"), 400},
      {"hexadecimal length", header_with("Content-Length: 0x10\r\n"), 400},
      {"length beyond 64 bits", header_with("Content-Length: 99999999999999999999999\r\n"), 400},
      {"body beyond the limit", header_with("Content-Length: 9000000\r\n"), 413},
      {"length and chunked", header_with(length + chunked, "0\r\n\r\n"), 400},
      {"chunked and length", header_with(chunked + length, "0\r\n\r\n"), 400},
      {"chunked twice", header_with(chunked + chunked, "0\r\n\r\n"), 400},
      {"unknown coding", header_with("Transfer-Encoding: gzip\r\n"), 501},
      {"hidden chunked", header_with("Transfer-Encoding: xchunked\r\n"), 501},
      {"coding list", header_with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"chunked with a tab", header_with("Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n"), 400},
      {"folded line", header_with("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400},
      {"chunked in HTTP/1.0",
       "POST /v1/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
           chunked + "\r\n0\r\n\r\n",
       400},
      {"bad chunk size", header_with(chunked, "zz\r\n{}\r\n0\r\n\r\n"), 400},
      {"negative chunk size", header_with(chunked, "-1\r\n{}\r\n0\r\n\r\n"), 400},
      {"huge chunk size", header_with(chunked, "ffffffffffffffff\r\n{}"), 413},
      {"chunk beyond the limit", header_with(chunked, "900000\r\n{}"), 413},
      {"chunk without its end", header_with(chunked, "2\r\n{}0\r\n\r\n"), 400},
      {"endless chunk extension", header_with(chunked, "2;" + std::string(100'000, 'a')), 400},
      {"endless trailer", header_with(chunked, "0\r\nT: " + std::string(100'000, 'a')), 400},
      {"no length", header_with(""), 411},
      {"strange expectation", header_with(length + "Expect: tea\r\n"), 417},
      {"unknown path", get("/../../etc/passwd"), 404},
      {"unknown method", "BREW /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
  };
}

std::vector<Hostile> hostile_bodies() {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  return {
      {"empty", "", 400},
      {"no JSON", "prompt=x", 400},
      {"cut JSON", R"({"prompt": "x)", 400},
      {"two values", R"({"prompt": "x"} {})", 400},
      {"list", R"([1, 2])", 400},
      {"deep lists", deep, 400},
      {"deep prompt", R"({"prompt": )" + deep + "}", 400},
      {"same key twice", R"({"prompt": "x", "prompt": "y"})", 400},
      {"invalid UTF-8", "{\"prompt\": \"\xff\xfe\"}", 400},
      {"overlong UTF-8", "{\"prompt\": \"\xc0\xaf\"}", 400},
      {"lone surrogate", R"({"prompt": "\ud800"})", 400},
      {"NaN", R"({"prompt": "x", "temperature": NaN})", 400},
      {"infinity", R"({"prompt": "x", "temperature": 1e999})", 400},
      {"NUL byte", std::string("{\"prompt\": \"a\0b\"}", 17), 400},
      {"control characters in a name", R"({"prompt": "x", "\u001b[31mred": 1})", 400},
  };
}

/// What the scanner says of bytes that come in pieces of `step`: "size N", "status N" or "more".
std::string scanned(std::string_view bytes, std::size_t step) {
  HeadScanner scanner;
  try {
    for (std::size_t size = 0; size < bytes.size();) {
      size = std::min(bytes.size(), size + step);
      if (const auto head = scanner.scan(bytes.substr(0, size)))
        return fmt::format("size {}", *head);
    }
  } catch (const ApiError& error) {
    return fmt::format("status {}", error.status);
  }
  return "more";
}

TEST(HeadScanner, SaysTheSameHoweverTheBytesCome) {
  for (const Hostile& hostile : hostile_heads()) {
    const std::string whole = scanned(hostile.bytes, hostile.bytes.size());
    for (const std::size_t step : {1, 2, 3, 7, 100}) {
      EXPECT_EQ(scanned(hostile.bytes, step), whole) << hostile.name << " by " << step;
    }
  }
  EXPECT_EQ(scanned("GET / HTTP/1.1\r\nHost: x\r\n\r\nrest", 100), "size 27");
  EXPECT_EQ(scanned("GET / HTTP/1.1\r\nHost: x\r\n", 100), "more");
  EXPECT_EQ(scanned("GET / HTTP/1.1\r\n\tHost: x\r\n\r\n", 100), "status 400");
  EXPECT_EQ(scanned("GET / HTTP/1.1\rHost: x\r\n\r\n", 100), "status 400");
}

class HostileHttp : public ::testing::Test {
 protected:
  /// Sends the bytes and no more; the reply's status, 0 when there is none.
  int status_of(const std::string& bytes) {
    RawClient client(server_.port());
    client.send(bytes);
    client.half_close();
    const RawReply reply = client.reply();
    if (reply.status >= 400) {
      EXPECT_NE(reply.body.find("\"error\""), std::string::npos);
      EXPECT_EQ(reply.body.find('\x1b'), std::string::npos);
    }
    return reply.status;
  }
  void expect_alive(const std::string& after) {
    const RawReply reply = server_.ask(post("/v1/completions", kBody));
    EXPECT_EQ(reply.status, 200) << after << reply.body;
  }

  ScriptedSession session_{{}};
  RunningServer server_{session_};
};

TEST_F(HostileHttp, HeadsGetTheirStatusAndDisturbNobody) {
  for (const Hostile& hostile : hostile_heads()) {
    const int status = status_of(hostile.bytes);
    EXPECT_EQ(status, hostile.status) << hostile.name;
    expect_alive(hostile.name);
  }
}

TEST_F(HostileHttp, BodiesGetTheirStatusAndDisturbNobody) {
  for (const Hostile& hostile : hostile_bodies()) {
    EXPECT_EQ(server_.ask(post("/v1/completions", hostile.bytes)).status, hostile.status)
        << hostile.name;
    expect_alive(hostile.name);
  }
}

/// After a refused request nothing of it may be taken for the next one.
TEST_F(HostileHttp, NothingIsSmuggledBehindARefusedRequest) {
  const std::string hidden = get("/metrics");
  for (const Hostile& hostile : hostile_heads()) {
    if (hostile.status < 400 || hostile.status == 404 || hostile.status == 405) continue;
    RawClient client(server_.port());
    client.send(hostile.bytes + hidden);
    client.half_close();
    const RawReply first = client.reply();
    if (first.headers.contains("connection") && first.headers.at("connection") == "keep-alive") {
      EXPECT_STREQ(hostile.name, "chunked with a tab");  // which is no ill form
      continue;
    }
    const RawReply second = client.reply();
    EXPECT_EQ(second.body.find("assay_info"), std::string::npos) << hostile.name;
  }
}

TEST_F(HostileHttp, ARequestCutAnywhereLeavesNoTrace) {
  const std::string whole = post("/v1/completions", kBody);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    RawClient client(server_.port());
    client.send(whole.substr(0, size));
    if (size % 2 == 0) {
      client.reset();
    } else {
      client.half_close();
      EXPECT_EQ(client.reply().status, 0) << size;
    }
  }
  expect_alive("cut requests");
  EXPECT_EQ(session_.in_flight(), 0U);
}

TEST_F(HostileHttp, ABodyInOddPiecesIsReadWhole) {
  const std::string body = kBody;
  std::string chunks;
  for (const char c : body) chunks += fmt::format("1;ext=\"a\"\r\n{}\r\n", c);
  const std::string chunked = header_with("Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n");
  EXPECT_EQ(server_.ask(chunked).status, 200);
  RawClient slow(server_.port());
  for (const char c : post("/v1/completions", body)) slow.send(std::string(1, c));
  EXPECT_EQ(slow.reply().status, 200);
}

/// Honest requests with random damage: any answer will do, but there is one or the connection ends,
/// and the server lives.
TEST_F(HostileHttp, DamagedRequestsNeverHarmTheServer) {
  SplitMix64 random(20261126);
  const std::string whole = post("/v1/completions", R"({"prompt": ["x", "y"], "stop": ["a"]})");
  for (int round = 0; round < 400; ++round) {
    std::string bytes = whole;
    for (std::uint64_t i = 0; i <= random.below(4); ++i) {
      const std::size_t at = random.below(bytes.size());
      switch (random.below(3)) {
        case 0:
          bytes[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          bytes.erase(at, random.below(8));
          break;
        default:
          bytes.insert(at, std::string(random.below(5), static_cast<char>(random.below(128))));
      }
      if (bytes.empty()) bytes = "x";
    }
    status_of(bytes);
  }
  expect_alive("damaged requests");
}

}  // namespace
}  // namespace assay::engine
