#include "engine/session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/replicas.h"
#include "engine/prompt_encoder.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

// The demonstration model through a session gives what it gives through a generator, however the
// requests come in.

EngineOptions mini(std::int64_t batch) {
  return {.model = ASSAY_MINI_MODEL, .precision = "fp8", .threads = 1, .max_batch = batch};
}

std::vector<Request> mixed_requests() {
  std::vector<Request> out;
  for (int i = 0; i < 16; ++i) {
    Request request;
    request.id = fmt::format("r{}", i);
    request.prompt.text = std::string(static_cast<std::size_t>(i % 5), 'Q') + ": What is " +
                          std::string(static_cast<std::size_t>(20 * (i % 7)), '3') + "?";
    request.sampling.max_tokens = 3 + 2 * i;
    request.sampling.temperature = i % 3 == 0 ? 0 : 1.5;
    request.sampling.top_p = i % 2 == 0 ? 1 : 0.9;
    if (i % 5 == 1) request.sampling.stop = {"a", "th"};
    if (i % 5 == 2) request.sampling.logit_bias = {{65, 3.0F}};
    if (i % 4 == 0) request.logprobs = 2;
    if (i % 8 == 4) request.prompt_logprobs = true;
    if (i % 6 == 5) request.continuations = {" yes", " no way"};
    out.push_back(std::move(request));
  }
  return out;
}

std::string print(const Completion& completion) {
  std::string out = fmt::format("{} {} {}", completion.error, completion.text,
                                finish_reason_name(completion.finish_reason));
  for (const TokenId id : completion.ids) out += fmt::format(" {}", id);
  for (const TokenLogprob& token : completion.logprobs) {
    out += fmt::format(" {}:{:a}", token.id, token.logprob);
    for (const auto& [id, logprob] : token.top) out += fmt::format("({} {:a})", id, logprob);
  }
  for (const double logprob : completion.prompt_logprobs.logprobs) {
    out += fmt::format(" p{:a}", logprob);
  }
  for (const ContinuationScore& score : completion.continuations) {
    out += fmt::format(" [{:a} {}]", score.logprob, score.greedy);
  }
  return out;
}

std::vector<std::string> through_generator(const std::vector<Request>& requests,
                                           std::int64_t batch) {
  std::vector<std::string> out(requests.size());
  make_generator(mini(batch))->run(requests, [&](std::size_t i, const Completion& completion) {
    out[i] = print(completion);
    return true;
  });
  return out;
}

/// Collects what all requests of a test become.
struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> done;
  std::vector<std::string> texts;
  std::vector<std::int64_t> tokens;
  std::size_t finished = 0;

  explicit Board(std::size_t size) : done(size), texts(size), tokens(size) {}
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return finished >= count; });
  }
};

class Pin : public Listener {
 public:
  Pin(Board& board, std::size_t index) : board_(board), index_(index) {}
  void on_delta(const Delta& delta) override {
    const std::lock_guard lock(board_.mutex);
    board_.texts[index_] += delta.text;
    board_.tokens[index_] += delta.tokens;
    board_.changed.notify_all();
  }
  void on_done(Completion completion) override {
    const std::lock_guard lock(board_.mutex);
    EXPECT_EQ(board_.texts[index_], completion.text);
    EXPECT_EQ(board_.tokens[index_], static_cast<std::int64_t>(completion.ids.size()));
    EXPECT_LE(completion.times.scheduled_ns, completion.times.sent_ns);
    EXPECT_LE(completion.times.sent_ns, completion.times.first_ns);
    EXPECT_LE(completion.times.first_ns, completion.times.last_ns);
    board_.done[index_] = print(completion);
    ++board_.finished;
    board_.changed.notify_all();
  }

 private:
  Board& board_;
  std::size_t index_;
};

TEST(Session, GivesTheSameBitsAsAGeneratorHoweverRequestsComeIn) {
  const std::vector<Request> requests = mixed_requests();
  const std::vector<std::string> expected = through_generator(requests, 1);
  EXPECT_EQ(through_generator(requests, 64), expected);
  const auto session = make_session(mini(5));
  Board board(requests.size());
  std::vector<std::thread> threads;
  for (std::size_t part = 0; part < 3; ++part) {
    threads.emplace_back([&, part] {
      for (std::size_t i = part; i < requests.size(); i += 3) {
        session->submit(requests[i], std::make_shared<Pin>(board, i));
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  board.wait_for(requests.size());
  EXPECT_EQ(board.done, expected);
}

/// Who gives up the promise about bits must get something for it.
TEST(Session, FastIsRefusedWhereItMeansNothing) {
  EngineOptions options = mini(1);
  options.fast = true;
  options.device = "cpu";
  for (const auto& start : {std::function<void()>([&] { (void)make_generator(options); }),
                            std::function<void()>([&] { (void)make_session(options); })}) {
    const std::string message = test::error_message(start);
    EXPECT_NE(message.find("--fast gives up"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  options.model = "http://127.0.0.1:1/v1";
  EXPECT_NE(test::error_message([&] { (void)make_generator(options); }).find("--fast"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] { (void)make_session(options); }).find("--fast"),
            std::string::npos);
}

/// Each prompt token's log-probability is that of scoring it as a continuation, to the last bit.
TEST(Session, PromptLogprobsAreContinuationScores) {
  const auto model = make_generator(mini(8));
  Request request;
  request.prompt.form = PromptInput::Form::kIds;
  for (TokenId id = 0; id < 200; ++id) request.prompt.ids.push_back((id * 37) % 3000);
  request.sampling.max_tokens = 0;
  request.logprobs = 1;
  request.prompt_logprobs = true;
  Request generating = request;
  generating.sampling.max_tokens = 4;
  Request context = request;
  context.prompt_logprobs = false;
  context.logprobs = -1;
  context.prompt.ids = {request.prompt.ids.front()};
  context.continuations = {" the answer is"};
  std::vector<Completion> out(3);
  model->run(std::vector<Request>{request, generating, context},
             [&](std::size_t i, Completion completion) {
               out[i] = std::move(completion);
               return true;
             });
  EXPECT_EQ(out[0].error, "");
  EXPECT_EQ(out[0].prompt_logprobs.logprobs.size(), 199U);
  EXPECT_EQ(out[1].prompt_logprobs.logprobs, out[0].prompt_logprobs.logprobs);
  EXPECT_EQ(out[1].ids.size(), 4U);
  // The continuation's own ids as a prompt.
  Request echo = request;
  const ContinuationScore& score = out[2].continuations.at(0);
  echo.prompt.ids = context.prompt.ids;
  echo.prompt.ids.insert(echo.prompt.ids.end(), score.ids.begin(), score.ids.end());
  model->run({&echo, 1}, [&](std::size_t, Completion completion) {
    double sum = 0;
    bool greedy = true;
    for (std::size_t i = 0; i < completion.prompt_logprobs.logprobs.size(); ++i) {
      sum += completion.prompt_logprobs.logprobs[i];
      greedy = greedy && completion.prompt_logprobs.top[i].at(0).first == score.ids[i];
    }
    EXPECT_EQ(sum, score.logprob);
    EXPECT_EQ(greedy, score.greedy);
    return true;
  });
}

TEST(Session, ACancelledRequestEndsAndTheSessionGoesOn) {
  const auto session = make_session(mini(2));
  Board board(3);
  Request endless;
  endless.prompt.text = "Q";
  endless.sampling.max_tokens = 1 << 20;
  endless.sampling.ignore_eos = true;
  const RequestHandle first = session->submit(endless, std::make_shared<Pin>(board, 0));
  const RequestHandle second = session->submit(endless, std::make_shared<Pin>(board, 1));
  {
    std::unique_lock lock(board.mutex);
    board.changed.wait(lock, [&] { return board.tokens[0] > 0 && board.tokens[1] > 0; });
  }
  session->cancel(first);
  session->cancel(second);
  session->cancel(12345);
  Request small;
  small.prompt.text = "Q";
  small.sampling.max_tokens = 2;
  session->submit(small, std::make_shared<Pin>(board, 2));
  board.wait_for(1);
  EXPECT_EQ(board.done[0], "");
  EXPECT_NE(board.done[2], "");
  EXPECT_EQ(session->lost(), "");
}

TEST(Session, EndsWithRequestsInFlight) {
  Board board(1);
  const auto session = make_session(mini(2));
  Request endless;
  endless.prompt.text = "Q";
  endless.sampling.max_tokens = 900;
  endless.sampling.ignore_eos = true;
  session->submit(endless, std::make_shared<Pin>(board, 0));
}

TEST(Session, KnowsItsTokenizerAndRefusesRecordings) {
  const auto session = make_session(mini(1));
  ASSERT_NE(session->encoder(), nullptr);
  EXPECT_FALSE(session->encoder()->tokenizer().encode("abc", false).empty());
  EXPECT_NE(test::error_message([] { make_session({.model = "replay:x.jsonl"}); }).find("speed"),
            std::string::npos);
}

/// A copy whose requests end when the test says so, on the test's thread.
class HandMadeCopy : public Session {
 public:
  [[nodiscard]] const ModelInfo& info() const override { return info_; }
  RequestHandle submit(Request request, std::shared_ptr<Listener> listener) override {
    taken.push_back({std::move(request.id), std::move(listener)});
    return taken.size();
  }
  void cancel(RequestHandle handle) override { cancelled.push_back(handle); }
  [[nodiscard]] std::string lost() const override { return reason; }
  void end(std::size_t index) { taken.at(index).listener->on_done({}); }

  struct Taken {
    std::string id;
    std::shared_ptr<Listener> listener;
  };
  std::vector<Taken> taken;
  std::vector<RequestHandle> cancelled;
  std::string reason;

 private:
  ModelInfo info_{.weight_bytes = 5};
};

TEST(Copies, ARequestGoesToTheOneWithTheFewestInFlight) {
  class Ignoring : public Listener {
    void on_delta(const Delta&) override {}
    void on_done(Completion) override {}
  };
  std::vector<std::unique_ptr<Session>> copies;
  std::vector<HandMadeCopy*> made;
  for (int c = 0; c < 2; ++c) {
    auto copy = std::make_unique<HandMadeCopy>();
    made.push_back(copy.get());
    copies.push_back(std::move(copy));
  }
  const auto session = join_sessions(std::move(copies));
  EXPECT_EQ(session->info().weight_bytes, 10);
  const auto submit = [&](const char* id) {
    Request request;
    request.id = id;
    return session->submit(std::move(request), std::make_shared<Ignoring>());
  };
  const auto a = submit("a");  // to copy 0
  const auto b = submit("b");  // to copy 1
  EXPECT_NE(a, b);
  made[1]->end(0);
  submit("c");         // to copy 1, which has none
  submit("d");         // to copy 0: one each
  session->cancel(b);  // done already
  EXPECT_TRUE(made[1]->cancelled.empty());
  session->cancel(a);
  EXPECT_EQ(made[0]->cancelled, std::vector<RequestHandle>{1});
  made[1]->reason = "gone";
  EXPECT_EQ(session->lost(), "");
  submit("e");  // never to a lost one
  ASSERT_EQ(made[0]->taken.size(), 3U);
  EXPECT_EQ(made[0]->taken[1].id, "d");
  EXPECT_EQ(made[0]->taken[2].id, "e");
  ASSERT_EQ(made[1]->taken.size(), 2U);
  EXPECT_EQ(made[1]->taken[1].id, "c");
  made[0]->reason = "gone, too";
  EXPECT_EQ(session->lost(), "gone, too");
}

TEST(Copies, GiveTheBitsOfOneModel) {
  const std::vector<Request> requests = mixed_requests();
  const std::vector<std::string> expected = through_generator(requests, 8);
  EngineOptions options = mini(4);
  options.dp = 3;
  const auto session = make_session(options);
  Board board(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    session->submit(requests[i], std::make_shared<Pin>(board, i));
  }
  board.wait_for(requests.size());
  EXPECT_EQ(board.done, expected);
}

TEST(Copies, ServersAndProcessesAreNotCopied) {
  EngineOptions options{.model = "http://127.0.0.1:1/v1", .dp = 2};
  EXPECT_NE(test::error_message([&] { make_session(options); }).find("several addresses"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::engine
