// Connections that are kept, and several servers of which one goes or comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/error.h"
#include "tests/engine/http/client_fixture.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using std::chrono::milliseconds;
using test::ScriptedExchange;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ServersTest, KeptConnectionsThatTheServerClosedAreReplacedWithoutAnAttempt) {
  // Each connection takes one request and is closed in silence after it.
  ScriptedServer server([](ScriptedExchange& exchange) {
    test::serve_scripted_model(exchange);
    exchange.close();
  });
  EngineOptions options = quick(server.url());
  options.max_batch = 1;
  const auto model = make_http_generator(options);
  for (const Completion& completion : run_all(*model, some_requests(20))) {
    EXPECT_EQ(completion.served.attempts, 1);
    EXPECT_TRUE(completion.served.faults.empty());
  }
}

TEST(ServersTest, ConnectionsAreUsedAgain) {
  ScriptedServer server(test::serve_scripted_model);
  EngineOptions options = quick(server.url());
  options.max_batch = 2;
  const auto model = make_http_generator(options);
  const int before = server.connections();
  (void)run_all(*model, some_requests(40));
  EXPECT_LE(server.connections() - before, 2);
}

TEST(ServersTest, NoMoreRequestsAreUnderWayThanAllowed) {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  ScriptedServer server(with_fault([&](ScriptedExchange&, int) {
    int seen = ++now;
    for (int old = most; seen > old && !most.compare_exchange_weak(old, seen);) {
    }
    std::this_thread::sleep_for(milliseconds{1});
    --now;
    return false;
  }));
  EngineOptions options = quick(server.url());
  options.max_batch = 3;
  const auto model = make_http_generator(options);
  (void)run_all(*model, some_requests(60));
  EXPECT_LE(most, 3);
}

TEST(ServersTest, ADyingServerLeavesItsWorkToTheOthers) {
  std::atomic<int> left{0};
  ScriptedServer stays(test::serve_scripted_model);
  ScriptedServer dies(with_fault([&](ScriptedExchange& exchange, int number) {
    if (number < 5) return false;
    ++left;
    exchange.hang();  // what is under way when it dies
    return true;
  }));
  EngineOptions options = quick(stays.url() + "," + dies.url());
  options.max_batch = 4;
  const auto model = make_http_generator(options);
  std::thread killer([&] {
    while (left < 4) std::this_thread::sleep_for(milliseconds{1});
    dies.die();
  });
  std::set<std::string> endpoints;
  for (const Completion& completion : run_all(*model, some_requests(100))) {
    EXPECT_EQ(completion.finish_reason, FinishReason::kEos) << completion.error;
    endpoints.insert(completion.served.endpoint);
  }
  killer.join();
  EXPECT_EQ(endpoints, (std::set<std::string>{stays.url(), dies.url()}));
}

TEST(ServersTest, AServerThatComesBackIsFoundAndUsedAgain) {
  auto first = std::make_unique<ScriptedServer>(test::serve_scripted_model);
  const std::uint16_t port = first->port();
  EngineOptions options = quick(first->url());
  options.http.all_down = milliseconds{20'000};
  const auto model = make_http_generator(options);
  (void)run_all(*model, some_requests(3));
  first->die();
  std::unique_ptr<ScriptedServer> second;
  std::thread restart([&] {
    std::this_thread::sleep_for(milliseconds{60});
    second = std::make_unique<ScriptedServer>(test::serve_scripted_model,
                                              ScriptedServer::Options{.port = port});
  });
  for (const Completion& completion : run_all(*model, some_requests(20))) {
    EXPECT_EQ(completion.finish_reason, FinishReason::kEos) << completion.error;
  }
  restart.join();
}

TEST(ServersTest, ServersThatStayAwayEndTheRunAndWhatWasAnsweredIsKept) {
  ScriptedServer server(test::serve_scripted_model);
  EngineOptions options = quick(server.url());
  options.http.all_down = milliseconds{50};
  options.max_batch = 1;
  const auto model = make_http_generator(options);
  std::size_t answered = 0;
  const std::string message = test::error_message([&] {
    model->run(some_requests(50), [&](std::size_t, const Completion& completion) {
      if (completion.error.empty() && ++answered == 10) server.die();
      return true;
    });
  });
  EXPECT_THAT(message, AllOf(HasSubstr("no server answered"), HasSubstr("the same command")));
  EXPECT_GE(answered, 10U);
  EXPECT_LT(answered, 50U);
}

TEST(ServersTest, StoppingDropsWhatIsUnderWay) {
  ScriptedServer server(with_fault([](ScriptedExchange& exchange, int number) {
    if (number < 3) return false;
    exchange.hang();
    return true;
  }));
  std::atomic<bool> stop{false};
  EngineOptions options = quick(server.url());
  options.stop_requested = [&] { return stop.load(); };
  const auto model = make_http_generator(options);
  std::size_t ended = 0;
  model->run(some_requests(10), [&](std::size_t, const Completion&) {
    stop = ++ended == 2;
    return true;
  });
  EXPECT_EQ(ended, 2U);
}

}  // namespace
}  // namespace assay::engine
