// Connections of the server: limits, clients that go away or dawdle, tokens, draining. The model is
// a script, so that nothing here depends on arithmetic.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"
#include "engine/server/routes.h"
#include "tests/engine/server/running_server.h"
#include "tests/support/scripted_session.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using test::events_of;
using test::get;
using test::post;
using test::RawClient;
using test::RawReply;
using test::RunningServer;
using test::ScriptedSession;
using namespace std::chrono_literals;

constexpr const char* kEndless = R"({"prompt": "x", "max_tokens": 1000000, "stream": true})";
constexpr const char* kShort = R"({"prompt": "x", "max_tokens": 3})";

std::string stream_of(int tokens) {
  return fmt::format(R"({{"prompt": "x", "max_tokens": {}, "stream": true}})", tokens);
}

TEST(Server, AClientThatGoesAwayStopsItsGeneration) {
  ScriptedSession session({.each = 1ms});
  RunningServer server(session);
  for (const bool reset : {false, true}) {
    RawClient client(server.port());
    client.send(post("/v1/completions", kEndless));
    EXPECT_NE(client.take_until("data: "), "");
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(session.wait_for_cancelled(reset ? 2 : 1));
  }
  // Without a stream, with requests sent ahead, and with more bytes than anyone reads.
  RawClient whole(server.port());
  whole.send(post("/v1/completions", R"({"prompt": "x", "max_tokens": 1000000, "n": 2})"));
  RawClient ahead(server.port());
  ahead.send(post("/v1/completions", kEndless) + get("/health"));
  EXPECT_NE(ahead.take_until("data: "), "");
  while (session.in_flight() < 3) std::this_thread::sleep_for(1ms);
  whole.close();
  EXPECT_TRUE(session.wait_for_cancelled(4));
  ahead.close();
  EXPECT_TRUE(session.wait_for_cancelled(5));
  const std::string metrics = server.ask(get("/metrics")).body;
  EXPECT_NE(metrics.find("assay_requests_cancelled_total 4"), std::string::npos) << metrics;
}

TEST(Server, AClientThatDoesNotReadIsCutAndHoldsUpNobody) {
  ScriptedSession session(
      {.each = 100us, .text = [](std::int64_t) { return std::string(2000, 'x'); }});
  RunningServer server(session, {.write_time = 300ms});
  RawClient deaf(server.port(), 4096);
  deaf.send(post("/v1/completions", kEndless));
  for (int i = 0; i < 20; ++i) {
    const RawReply reply = server.ask(post("/v1/completions", stream_of(20)));
    EXPECT_EQ(events_of(reply.body).size(), 21U);
  }
  EXPECT_TRUE(session.wait_for_cancelled(1));
  EXPECT_EQ(server.ask(get("/health")).status, 200);
}

TEST(Server, SlowSendersAreCutAndHoldUpNobody) {
  ScriptedSession session({});
  RunningServer server(session, {.header_time = 300ms, .body_time = 300ms, .idle_time = 300ms});
  RawClient silent(server.port());
  RawClient in_header(server.port());
  in_header.send("POST /v1/completions HTTP/1.1\r\nHost: loc");
  RawClient in_body(server.port());
  in_body.send(post("/v1/completions", kShort).substr(0, 130));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(server.ask(post("/v1/completions", kShort)).status, 200);
  EXPECT_TRUE(silent.at_end());
  EXPECT_EQ(in_header.reply().status, 408);
  EXPECT_EQ(in_body.reply().status, 408);
  EXPECT_TRUE(in_body.at_end());
}

TEST(Server, TheQueueHasALimitAndSaysWhenToComeBack) {
  ScriptedSession session({.first = 1h});
  RunningServer server(session, {.max_queue = 3});
  RawClient waiting(server.port());
  waiting.send(post("/v1/completions", R"({"prompt": "x", "n": 2})"));
  while (session.in_flight() < 2) std::this_thread::sleep_for(1ms);
  const RawReply full = server.ask(post("/v1/completions", R"({"prompt": "x", "n": 2})"));
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.headers.at("retry-after"), "1");
  EXPECT_NE(full.body.find("queue_full"), std::string::npos);
  EXPECT_EQ(server.ask(post("/v1/completions", R"({"prompt": "x", "n": 4})")).status, 400);
  waiting.close();
  EXPECT_TRUE(session.wait_for_cancelled(2));
  RawClient next(server.port());
  next.send(post("/v1/completions", R"({"prompt": "x", "n": 2})"));
  while (session.in_flight() < 2) std::this_thread::sleep_for(1ms);
}

TEST(Server, BeyondTheConnectionsOnlyHealthAndMetricsAreServed) {
  ScriptedSession session({.first = 1h});
  RunningServer server(session, {.max_connections = 2});
  RawClient first(server.port());
  RawClient second(server.port());
  first.send(post("/v1/completions", kEndless));
  second.send(post("/v1/completions", kEndless));
  while (session.in_flight() < 2) std::this_thread::sleep_for(1ms);
  const RawReply busy = server.ask(post("/v1/completions", kShort));
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.headers.at("retry-after"), "1");
  EXPECT_EQ(server.ask(get("/health")).status, 200);
  EXPECT_EQ(server.ask(get("/metrics")).status, 200);
  // And beyond those kept for that, the door is closed at once.
  std::vector<std::unique_ptr<RawClient>> crowd;
  for (int i = 0; i < 40; ++i) crowd.push_back(std::make_unique<RawClient>(server.port()));
  EXPECT_EQ(crowd.back()->reply().status, 503);
  EXPECT_TRUE(crowd.back()->at_end());
}

TEST(Server, RequestsOnOneConnectionAreAnsweredInOrder) {
  ScriptedSession session({});
  RunningServer server(session);
  RawClient client(server.port());
  client.send(post("/v1/completions", kShort) + get("/v1/models") +
              post("/v1/completions", stream_of(2)) + get("/health", "Connection: close\r\n"));
  EXPECT_NE(client.reply().body.find("\"xxx\""), std::string::npos);
  EXPECT_NE(client.reply().body.find("\"list\""), std::string::npos);
  EXPECT_EQ(events_of(client.reply().body).size(), 3U);
  const RawReply last = client.reply();
  EXPECT_EQ(last.body, R"({"status":"ok"})");
  EXPECT_EQ(last.headers.at("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(Server, OldClientsGetAStreamThatEndsWithTheConnection) {
  ScriptedSession session({});
  RunningServer server(session);
  std::string request = post("/v1/completions", stream_of(2));
  request.replace(request.find("HTTP/1.1"), 8, "HTTP/1.0");
  const RawReply reply = server.ask(request);
  EXPECT_FALSE(reply.headers.contains("transfer-encoding"));
  EXPECT_EQ(events_of(reply.body).size(), 3U);
}

TEST(Server, ABodyMayWaitForLeave) {
  ScriptedSession session({});
  RunningServer server(session);
  RawClient client(server.port());
  const std::string whole = post("/v1/completions", kShort, "Expect: 100-continue\r\n");
  const std::size_t head = whole.find("\r\n\r\n") + 4;
  client.send(whole.substr(0, head));
  EXPECT_EQ(client.take_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(whole.substr(head));
  EXPECT_EQ(client.reply().status, 200);
  // What is refused by its header is refused before the body is sent.
  RawClient large(server.port());
  large.send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_EQ(large.reply().status, 413);
}

TEST(Server, ATokenIsAskedOfEveryoneButHealthChecks) {
  ScriptedSession session({});
  RunningServer server(session, {.token = "correct horse battery"},
                       {{"/reports", [] { return HttpReply{.body = "page"}; }}});
  EXPECT_EQ(server.ask(get("/health")).status, 200);
  const RawReply none = server.ask(get("/v1/models"));
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.headers.at("www-authenticate"), "Bearer");
  EXPECT_NE(none.body.find("invalid_api_key"), std::string::npos);
  for (const char* wrong : {"Bearer correct horse batter", "Bearer correct horse batteryx",
                            "Bearer ", "Basic correct horse battery", "correct horse battery"}) {
    const std::string field = fmt::format("Authorization: {}\r\n", wrong);
    EXPECT_EQ(server.ask(get("/metrics", field)).status, 401) << wrong;
    EXPECT_EQ(server.ask(post("/v1/completions", kShort, field)).status, 401) << wrong;
  }
  // A browser is asked for it where it wants a page: its password is the token.
  EXPECT_EQ(server.ask(get("/reports")).headers.at("www-authenticate"), "Basic realm=\"assay\"");
  const auto basic = [](const char* code) {
    return fmt::format("Authorization: Basic {}\r\n", code);
  };
  EXPECT_EQ(server.ask(get("/reports", basic("bWU6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"))).body, "page");
  for (const char* code : {"Y29ycmVjdCBob3JzZSBiYXR0ZXJ5", "bWU6Y29ycmVjdA==", "bWU6", "?", ""}) {
    EXPECT_EQ(server.ask(get("/reports", basic(code))).status, 401) << code;
  }
  const std::string right = "Authorization: bearer correct horse battery\r\n";
  EXPECT_EQ(server.ask(post("/v1/completions", kShort, right)).status, 200);
}

TEST(Server, BeyondLoopbackItWantsATokenOrAPlainRefusal) {
  ScriptedSession session({});
  const auto bind = [&](ServerOptions options) {
    options.port = 0;
    return test::error_message([&] { Server server(session, options); });
  };
  EXPECT_NE(bind({.address = "0.0.0.0"}).find("token"), std::string::npos);
  EXPECT_EQ(bind({.address = "0.0.0.0", .token = "correct horse battery"}), "");
  EXPECT_EQ(bind({.address = "0.0.0.0", .open = true}), "");
  EXPECT_EQ(bind({.address = "127.0.0.1"}), "");
  EXPECT_NE(bind({.address = "localhost"}).find("no IP address"), std::string::npos);
}

TEST(Server, APortThatIsTakenIsAnError) {
  ScriptedSession session({});
  const RunningServer server(session);
  ServerOptions options;
  options.port = server.port();
  EXPECT_NE(test::error_message([&] { Server second(session, options); }).find("cannot listen"),
            std::string::npos);
}

TEST(Server, OnlyItsOwnNamesAreAnswered) {
  for (const char* own : {"localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:80", "[::1]",
                          "[::1]:8000", "10.1.2.3:1", "eval.example:8000", "eval.example"}) {
    EXPECT_TRUE(is_own_host(own, {"Eval.Example"})) << own;
  }
  for (const char* foreign :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3",
        "1.2.3.400", "localhost:", "localhost:x", "eval.example:80:80"}) {
    EXPECT_FALSE(is_own_host(foreign, {"eval.example"})) << foreign;
  }
  ScriptedSession session({});
  RunningServer server(session);
  EXPECT_EQ(server.ask("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
}

TEST(Server, WhatAForeignPageMaySendChangesNothing) {
  ScriptedSession session({});
  RunningServer server(session);
  const std::string plain =
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: "
      "http://evil.example\r\nContent-Type: text/plain\r\n"
      "Content-Length: 2\r\n\r\n{}";
  EXPECT_EQ(server.ask(plain).status, 415);
  const RawReply asked = server.ask(
      "OPTIONS /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
      "Origin: http://evil.example\r\n\r\n");
  EXPECT_EQ(asked.status, 405);
  EXPECT_FALSE(asked.headers.contains("access-control-allow-origin"));
  EXPECT_EQ(session.in_flight(), 0U);
}

TEST(Server, AFailedRequestIsAnErrorBeforeAndInsideAStream) {
  ScriptedSession session({.each = 1ms});
  RunningServer server(session);
  for (const char* body : {R"({"prompt": "fail", "max_tokens": 3})",
                           R"({"prompt": "fail", "max_tokens": 3, "stream": true})"}) {
    const RawReply reply = server.ask(post("/v1/completions", body));
    EXPECT_EQ(reply.status, 500);
    EXPECT_NE(reply.body.find("scripted failure"), std::string::npos);
    EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  }
  const RawReply mixed = server.ask(post(
      "/v1/completions", R"({"prompt": ["good", "fail"], "max_tokens": 100000, "stream": true})"));
  EXPECT_NE(mixed.body.find("server_error"), std::string::npos);
  EXPECT_EQ(mixed.body.find("[DONE]"), std::string::npos);
}

TEST(Server, ALostEngineEndsTheServerWithItsReason) {
  ScriptedSession session({.each = 1ms});
  RunningServer server(session);
  RawClient client(server.port());
  client.send(post("/v1/completions", kEndless));
  EXPECT_NE(client.take_until("data: "), "");
  session.lose("the device is gone");
  const std::string rest = client.take_until("engine_lost");
  EXPECT_NE(rest, "");
  server.join();
  EXPECT_NE(server.error.find("the device is gone"), std::string::npos);
}

TEST(Server, DrainingFinishesWhatIsBegunAndTakesNothingNew) {
  ScriptedSession session({.each = 2ms});
  RunningServer server(session);
  RawClient client(server.port());
  RawClient idle(server.port());
  idle.send(get("/health"));
  EXPECT_EQ(idle.reply().status, 200);
  client.send(post("/v1/completions", stream_of(200)) + post("/v1/completions", kShort));
  EXPECT_NE(client.take_until("\r\n\r\n"), "");
  server.begin_stop();
  EXPECT_TRUE(idle.at_end());
  std::string body = client.take_until("[DONE]\n\n");
  EXPECT_NE(body, "");
  server.join();
  EXPECT_EQ(server.result, 0);
  EXPECT_THROW(RawClient(server.port()), std::runtime_error);
}

TEST(Server, DrainingHasAnEnd) {
  ScriptedSession session({.each = 1ms});
  RunningServer server(session, {.drain_time = 100ms});
  RawClient client(server.port());
  client.send(post("/v1/completions", kEndless));
  EXPECT_NE(client.take_until("data: "), "");
  server.begin_stop();
  server.join();
  EXPECT_EQ(server.result, 0);
  EXPECT_TRUE(session.wait_for_cancelled(1));
}

TEST(Server, PagesAreMadeAnewAndTheirErrorsKeepSecrets) {
  ScriptedSession session({});
  std::atomic<int> made = 0;
  RunningServer server(
      session, {},
      {{"/reports",
        [&] {
          HttpReply reply;
          reply.content_type = "text/html; charset=utf-8";
          reply.body = fmt::format("<p>{}</p>", ++made);
          return reply;
        }},
       {"/broken", []() -> HttpReply { throw_environment("no file secret/place"); }}});
  EXPECT_EQ(server.ask(get("/reports")).body, "<p>1</p>");
  EXPECT_EQ(server.ask(get("/reports?x=1")).body, "<p>2</p>");
  const RawReply broken = server.ask(get("/broken"));
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body.find("secret"), std::string::npos);
  RawClient head(server.port());
  head.send("HEAD /reports HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/health"));
  EXPECT_NE(head.take_until("Content-Length: 8"), "");
  EXPECT_NE(head.take_until("{\"status\":\"ok\"}"), "");
}

}  // namespace
}  // namespace assay::engine
