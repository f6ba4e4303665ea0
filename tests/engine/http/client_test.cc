// The client against servers that fail in every way of RELIABILITY's list: each request must end
// exactly once, with its own answer or with an error that says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "tests/engine/http/client_fixture.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using std::chrono::milliseconds;
using test::chunk_json;
using test::ScriptedExchange;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;

void send_half_a_stream(ScriptedExchange& exchange) {
  exchange.begin_stream();
  exchange.event(chunk_json("answ"));
  exchange.event(chunk_json("er to"));
}

struct FaultCase {
  const char* name;
  std::function<void(ScriptedExchange&)> fault;
  const char* reason;  // part of the stored reason when it never ends
  bool stream = true;
  void (*adjust)(HttpOptions&) = [](HttpOptions&) {};
};
void PrintTo(const FaultCase& c, std::ostream* out) { *out << c.name; }

const FaultCase kPassing[] = {
    {"closed before an answer", [](auto& x) { x.close(); }, "closed the connection"},
    {"reset before an answer", [](auto& x) { x.close(true); }, "reset"},
    {"cut in the head",
     [](auto& x) {
       x.send("HTTP/1.1 200 OK\r\nConte");
       x.close();
     },
     "cut"},
    {"stream cut between events",
     [](auto& x) {
       send_half_a_stream(x);
       x.close();
     },
     "cut"},
    {"stream reset",
     [](auto& x) {
       send_half_a_stream(x);
       x.close(true);
     },
     "reset"},
    {"stream ended in order without a finish",
     [](auto& x) {
       send_half_a_stream(x);
       x.send("0\r\n\r\n");
     },
     "ended before it was finished"},
    {"stream cut within an event",
     [](auto& x) {
       send_half_a_stream(x);
       x.send("40\r\ndata: {\"choices\"");
       x.close();
     },
     "cut"},
    {"half of the JSON in an event",
     [](auto& x) {
       x.begin_stream();
       x.event("{\"choices\": [{\"te");
       x.end_stream();
     },
     "malformed"},
    {"an error within the stream",
     [](auto& x) {
       send_half_a_stream(x);
       x.event(R"({"error": {"message": "engine died", "type": "server_error"}})");
       x.end_stream();
     },
     "engine died"},
    {"body shorter than declared",
     [](auto& x) {
       x.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{");
       x.close();
     },
     "cut", false},
    {"half of the JSON", [](auto& x) { x.reply(200, R"({"choices": [{"text": "answ)"); },
     "malformed", false},
    {"no choices", [](auto& x) { x.reply(200, R"({"id": 7})"); }, "choices", false},
    {"neither text nor a reason", [](auto& x) { x.reply(200, R"({"choices": []})"); }, "finished",
     false},
    {"a page instead of JSON", [](auto& x) { x.reply(200, "<html>", "text/html"); },
     "content type is \"text/html\"", false},
    {"a page instead of a stream", [](auto& x) { x.reply(200, "<html>", "text/html"); },
     "content type is \"text/html\""},
    {"no HTTP",
     [](auto& x) {
       x.send("SSH-2.0-OpenSSH\r\n\r\n");
       x.close();
     },
     "no HTTP"},
    {"two lengths",
     [](auto& x) {
       x.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}");
       x.close();
     },
     "no HTTP"},
    {"a length and chunks",
     [](auto& x) {
       x.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}");
       x.close();
     },
     ""},
    {"compressed unasked",
     [](auto& x) { x.reply(200, "x", "application/json", "Content-Encoding: gzip\r\n"); },
     "compresses"},
    {"a head without end",
     [](auto& x) {
       x.send("HTTP/1.1 200 OK\r\n");
       for (int i = 0; i < 3000; ++i) x.send("X-Long: 0123456789012345678901234567890\r\n");
       x.close();
     },
     "head has more than"},
    {"500", [](auto& x) { x.reply(500, R"({"error": {"message": "oops"}})"); }, "500: oops"},
    {"502 with a page", [](auto& x) { x.reply(502, "<html>bad gateway</html>", "text/html"); },
     "502"},
    {"408", [](auto& x) { x.reply(408, ""); }, "408"},
    {"429 without a time", [](auto& x) { x.reply(429, R"({"error": "slow down"})"); },
     "429: slow down"},
    {"429 with a time",
     [](auto& x) { x.reply(429, "", "application/json", "retry-after-ms: 5\r\n"); }, "429"},
    {"503 with seconds", [](auto& x) { x.reply(503, "", "text/plain", "Retry-After: 0\r\n"); },
     "503"},
    {"nonsense in Retry-After",
     [](auto& x) { x.reply(429, "", "text/plain", "Retry-After: soon\r\n"); }, "429"},
    {"silence before the answer", [](auto& x) { x.hang(); }, "first byte", true,
     [](HttpOptions& o) { o.first_byte = milliseconds{40}; }},
    {"silence within the head",
     [](auto& x) {
       x.send("HTTP/1.1 2");
       x.hang();
     },
     "the rest", true, [](HttpOptions& o) { o.silence = milliseconds{40}; }},
    {"silence within the stream",
     [](auto& x) {
       send_half_a_stream(x);
       x.hang();
     },
     "the rest", true, [](HttpOptions& o) { o.silence = milliseconds{40}; }},
    {"an endless stream of comments",
     [](auto& x) {
       x.begin_stream();
       for (int i = 0; i < 400; ++i) {
         x.send("7\r\n: hold\n\r\n");
         std::this_thread::sleep_for(milliseconds{2});
       }
       x.close();
     },
     "the rest", true,
     [](HttpOptions& o) {
       o.request_base = milliseconds{60};
       o.request_per_token = milliseconds{0};
     }},
    {"an endless stream of tokens",
     [](auto& x) {
       x.begin_stream();
       for (int i = 0; i < 20'000; ++i) x.event(chunk_json("word "));
       x.close();
     },
     "more tokens than"},
    {"an event without end",
     [](auto& x) {
       x.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ");
       const std::string piece(1 << 16, 'x');
       for (int i = 0; i < 80; ++i) x.send(piece);
       x.close();
     },
     "bytes"},
};

class PassingFaultTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(PassingFaultTest, IsTriedAgainUntilTheAnswerComes) {
  const FaultCase& c = GetParam();
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int number) {
    if (number > 2) return false;
    c.fault(exchange);
    return true;
  }));
  EngineOptions options = quick(server.url());
  options.http.stream = c.stream;
  c.adjust(options.http);
  const auto model = make_http_generator(options);
  for (const Completion& completion : run_all(*model, some_requests(6))) {
    EXPECT_EQ(completion.finish_reason, FinishReason::kEos) << completion.error;
    EXPECT_LE(completion.served.attempts, 3);
  }
}

TEST_P(PassingFaultTest, EndsWithItsReasonWhenItDoesNotPass) {
  const FaultCase& c = GetParam();
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int) {
    if (test::prompt_of(exchange.request()) != "prompt 1") return false;
    c.fault(exchange);
    return true;
  }));
  EngineOptions options = quick(server.url());
  options.http.stream = c.stream;
  options.http.attempts = 2;
  c.adjust(options.http);
  const auto model = make_http_generator(options);
  const auto done = run_all(*model, some_requests(3));
  EXPECT_EQ(done[0].finish_reason, FinishReason::kEos) << done[0].error;
  EXPECT_EQ(done[1].finish_reason, FinishReason::kError);
  EXPECT_THAT(done[1].error, AllOf(HasSubstr(c.reason), HasSubstr("2 attempts")));
  EXPECT_EQ(done[1].served.attempts, 2);
  EXPECT_EQ(done[1].served.faults.size(), 2U);
  EXPECT_EQ(done[2].finish_reason, FinishReason::kEos) << done[2].error;
}

INSTANTIATE_TEST_SUITE_P(Faults, PassingFaultTest, ::testing::ValuesIn(kPassing),
                         [](const auto& chosen) {
                           std::string name;
                           for (const char c : std::string_view(chosen.param.name)) {
                             name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           }
                           return name + (chosen.param.stream ? "" : "_whole");
                         });

TEST(HttpClientTest, RefusalsAreNotTriedAgain) {
  std::atomic<int> asked{0};
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int) {
    if (test::prompt_of(exchange.request()) != "prompt 0") return false;
    ++asked;
    exchange.reply(400, R"({"error": {"message": "too long", "type": "invalid_request_error"}})");
    return true;
  }));
  const auto model = make_http_generator(quick(server.url()));
  const auto done = run_all(*model, some_requests(2));
  EXPECT_THAT(done[0].error, HasSubstr("400: too long"));
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(done[1].finish_reason, FinishReason::kEos);
}

TEST(HttpClientTest, AKeyThatIsRefusedEndsTheRunAfterAFewRequests) {
  std::atomic<int> asked{0};
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int) {
    ++asked;
    exchange.reply(401, R"({"error": {"message": "bad key", "code": "invalid_api_key"}})");
    return true;
  }));
  EngineOptions options = quick(server.url());
  options.max_batch = 1;
  const auto model = make_http_generator(options);
  std::size_t stored = 0;
  const std::string message = test::error_message([&] {
    model->run(some_requests(50), [&](std::size_t, const Completion& completion) {
      EXPECT_THAT(completion.error, HasSubstr("401: bad key"));
      ++stored;
      return true;
    });
  });
  EXPECT_THAT(message, HasSubstr("401: bad key"));
  EXPECT_EQ(asked, 3);
  EXPECT_LT(stored, 10U);
}

TEST(HttpClientTest, ARedirectIsNotFollowed) {
  std::atomic<int> elsewhere{0};
  ScriptedServer other([&](ScriptedExchange& exchange) {
    ++elsewhere;
    exchange.close();
  });
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int) {
    exchange.reply(307, "", "text/plain", "Location: " + other.url() + "/completions\r\n");
    return true;
  }));
  const auto model = make_http_generator(quick(server.url()));
  const auto done = run_all(*model, some_requests(1));
  EXPECT_THAT(done[0].error, AllOf(HasSubstr("redirects (307)"), HasSubstr(other.url())));
  EXPECT_EQ(elsewhere, 0);
}

TEST(HttpClientTest, ALongRetryAfterEndsTheRequestWithThatReason) {
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int) {
    exchange.reply(429, "", "text/plain", "Retry-After: 3600\r\n");
    return true;
  }));
  const auto model = make_http_generator(quick(server.url()));
  const auto done = run_all(*model, some_requests(1));
  EXPECT_THAT(done[0].error, HasSubstr("come back in 3600 s"));
}

/// Half of all requests fail in one of the ways above, and all of them get their answers.
TEST(HttpClientTest, AStormOfFaultsLosesAndDoublesNothing) {
  std::mutex lock;
  SplitMix64 random(20261126);
  ScriptedServer server(with_fault([&](ScriptedExchange& exchange, int) {
    std::size_t chosen = 0;
    {
      const std::lock_guard guard(lock);
      chosen = random.below(2 * 20);
    }
    if (chosen >= 20 || !kPassing[chosen].stream) return false;
    kPassing[chosen].fault(exchange);
    return true;
  }));
  EngineOptions options = quick(server.url());
  options.http.attempts = 60;
  options.http.all_down = milliseconds{20'000};
  const auto model = make_http_generator(options);
  for (const Completion& completion : run_all(*model, some_requests(200))) {
    EXPECT_EQ(completion.finish_reason, FinishReason::kEos) << completion.error;
  }
}

}  // namespace
}  // namespace assay::engine
