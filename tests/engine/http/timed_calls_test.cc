// Calls at given moments on the thread of a served session, and what they submit.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "engine/session.h"
#include "tests/engine/http/client_fixture.h"

namespace assay::engine {
namespace {

using test::ScriptedServer;

constexpr std::int64_t kMs = 1'000'000;

/// Counts answers; each may ask the next request from within the call.
class Chain : public Listener {
 public:
  Chain(Session& session, int length) : session_(session), left_(length) {}
  void on_delta(const Delta&) override {}
  void on_done(Completion completion) override {
    EXPECT_EQ(completion.error, "");
    in_time_.push_back(std::this_thread::get_id());
    if (--left_ == 0) {
      done.set_value();
    } else {
      session_.submit(some_requests(1)[0], self.lock());
    }
  }
  [[nodiscard]] bool on_one_thread() const {
    return std::all_of(in_time_.begin(), in_time_.end(),
                       [&](std::thread::id id) { return id == in_time_.front(); });
  }
  std::promise<void> done;
  std::weak_ptr<Chain> self;

 private:
  Session& session_;
  int left_;
  std::vector<std::thread::id> in_time_;
};

TEST(TimedCalls, ComeInOrderAndNotBeforeTheirTime) {
  ScriptedServer server(test::serve_scripted_model);
  const auto session = make_http_session(quick(server.url()));
  const std::int64_t begin = monotonic_ns();
  std::vector<int> order;
  std::vector<std::int64_t> late;
  std::promise<void> done;
  const auto note = [&](int number, std::int64_t due) {
    order.push_back(number);
    late.push_back(monotonic_ns() - due);
  };
  // The later one first; the last is long over when it is asked for, from within another.
  for (const int number : {3, 1, 2}) {
    const std::int64_t due = begin + number * 5 * kMs;
    ASSERT_TRUE(session->call_at(due, [&, number, due] {
      note(number, due);
      if (number != 3) return;
      session->call_at(begin, [&] {
        note(4, begin);
        done.set_value();
      });
      order.push_back(30);  // never from within
    }));
  }
  ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds{10}), std::future_status::ready);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 30, 4}));
  for (const std::int64_t ns : late) EXPECT_GE(ns, 0);
}

TEST(TimedCalls, WhatACallAndAnAnswerSubmitIsAsked) {
  ScriptedServer server(test::serve_scripted_model);
  const auto session = make_http_session(quick(server.url()));
  auto chain = std::make_shared<Chain>(*session, 20);
  chain->self = chain;
  session->call_at(monotonic_ns(), [&] { session->submit(some_requests(1)[0], chain); });
  ASSERT_EQ(chain->done.get_future().wait_for(std::chrono::seconds{10}),
            std::future_status::ready);
  EXPECT_TRUE(chain->on_one_thread());
}

// A request that is refused from within a call is answered, and not within `submit`.
TEST(TimedCalls, ARefusalComesAfterSubmitHasReturned) {
  ScriptedServer server(test::serve_scripted_model);
  const auto session = make_http_session(quick(server.url()));
  struct Refused : Listener {
    void on_delta(const Delta&) override {}
    void on_done(Completion completion) override {
      EXPECT_NE(completion.error, "");
      EXPECT_TRUE(submitted);
      done.set_value();
    }
    bool submitted = false;
    std::promise<void> done;
  };
  auto listener = std::make_shared<Refused>();
  session->call_at(monotonic_ns(), [&] {
    Request request = some_requests(1)[0];
    request.prompt.form = PromptInput::Form::kChat;
    request.prompt.messages = {{"user", "x"}};
    request.prompt.assistant_prefix = "y";
    session->submit(std::move(request), listener);
    listener->submitted = true;
  });
  ASSERT_EQ(listener->done.get_future().wait_for(std::chrono::seconds{10}),
            std::future_status::ready);
}

TEST(TimedCalls, WhatIsNotDueWhenTheSessionEndsIsDropped) {
  ScriptedServer server(test::serve_scripted_model);
  auto session = make_http_session(quick(server.url()));
  const auto kept = std::make_shared<int>(0);
  session->call_at(monotonic_ns() + 3600 * 1000 * kMs, [kept] { ADD_FAILURE(); });
  session.reset();
  EXPECT_EQ(kept.use_count(), 1);
}

}  // namespace
}  // namespace assay::engine
