#include "engine/generators/request_loop.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "tests/support/scripted_executor.h"

namespace assay::engine {
namespace {

using test::says;
using test::scripted_model;

// What a listener hears, with an engine whose every byte is known.

struct Heard : Listener {
  void on_delta(const Delta& delta) override {
    pieces.emplace_back(delta.text);
    ids.insert(ids.end(), delta.ids.begin(), delta.ids.end());
    logprobs += static_cast<std::int64_t>(delta.logprobs.size());
    tokens += delta.tokens;
    EXPECT_TRUE(is_valid_utf8(delta.text));
    EXPECT_GE(delta.at_ns, last_ns);
    last_ns = delta.at_ns;
  }
  void on_done(Completion completion) override {
    EXPECT_FALSE(done);
    done = std::move(completion);
  }
  std::string text() const { return join(pieces, ""); }

  std::vector<std::string> pieces;
  std::vector<TokenId> ids;
  std::int64_t tokens = 0;
  std::int64_t logprobs = 0;
  std::int64_t last_ns = 0;
  std::optional<Completion> done;
};

Request ask(const std::string& prompt, std::vector<std::string> stop = {}) {
  Request request;
  request.prompt.text = prompt;
  request.sampling.stop = std::move(stop);
  return request;
}

IncomingRequest incoming(RequestHandle handle, Request request, std::shared_ptr<Listener> to) {
  return {.handle = handle, .request = std::move(request), .listener = std::move(to)};
}

void submit(RequestLoop& loop, RequestHandle handle, Request request,
            std::shared_ptr<Listener> to) {
  std::vector<IncomingRequest> one;
  one.push_back(incoming(handle, std::move(request), std::move(to)));
  loop.submit(std::move(one));
}

std::shared_ptr<Heard> hear(const std::string& answer, const Request& request) {
  const auto model = scripted_model(says(answer, 2), {.context = 256, .batch = 4, .pages = 16});
  RequestLoop loop(*model);
  auto heard = std::make_shared<Heard>();
  submit(loop, 1, request, heard);
  while (loop.step()) {
  }
  return heard;
}

TEST(RequestLoop, DeltasTogetherAreTheCompletion) {
  Request request = ask("hi");
  request.logprobs = 0;
  const auto heard = hear("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x89!", request);
  ASSERT_TRUE(heard->done);
  EXPECT_EQ(heard->done->text, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\x89!");
  EXPECT_EQ(heard->text(), heard->done->text);
  EXPECT_EQ(heard->ids, heard->done->ids);
  EXPECT_EQ(heard->tokens, 16);  // the end of text too
  EXPECT_EQ(heard->logprobs, 16);
  EXPECT_EQ(heard->done->finish_reason, FinishReason::kEos);
}

TEST(RequestLoop, TextThatMayBecomeAStopStringIsHeldBack) {
  const auto heard = hear("one END twoENDthree", ask("hi", {"ENDt", "xx", "zzz"}));
  EXPECT_EQ(heard->done->text, "one END two");
  EXPECT_EQ(heard->text(), "one END two");
  EXPECT_EQ(heard->done->finish_reason, FinishReason::kStop);
  // " EN" and "END" came out only once the next byte had decided.
  const std::vector<std::string> expected = {"o", "n", "e", " ", "", "", "", "END ",
                                             "t", "w", "o", "",  "", "", ""};
  EXPECT_EQ(heard->pieces, expected);
}

TEST(RequestLoop, WhatWasHeldBackComesOutAtTheEnd) {
  const auto heard = hear("abcEN", ask("hi", {"END"}));
  EXPECT_EQ(heard->text(), "abcEN");
  EXPECT_EQ(heard->done->text, "abcEN");
  const auto cut = hear("ab\xe2\x82", ask("hi"));
  EXPECT_EQ(cut->text(), "ab\xef\xbf\xbd");
  EXPECT_EQ(cut->done->text, cut->text());
}

/// All splits of short texts over stops that overlap themselves and each other.
TEST(RequestLoop, StreamedAndWholeTextAgreeForAllShortAnswers) {
  const std::vector<std::string> stops = {"aab", "ba", "abab"};
  for (int code = 0; code < 1 << 12; ++code) {
    std::string answer;
    for (int i = 0; i < code % 12; ++i) answer += (code >> i) % 2 == 0 ? 'a' : 'b';
    std::size_t cut = answer.size();
    for (std::size_t end = 1; end <= answer.size() && cut == answer.size(); ++end) {
      std::size_t first = std::string::npos;
      for (const std::string& stop : stops) {
        if (std::string_view(answer).substr(0, end).ends_with(stop)) {
          first = std::min(first, end - stop.size());
        }
      }
      if (first != std::string::npos) {
        cut = first;
        break;
      }
    }
    const auto heard = hear(answer, ask("hi", stops));
    ASSERT_EQ(heard->text(), answer.substr(0, cut)) << answer;
    ASSERT_EQ(heard->done->text, heard->text()) << answer;
  }
}

TEST(RequestLoop, PromptLogprobsAloneGenerateNothing) {
  Request request = ask("hello");
  request.sampling.max_tokens = 0;
  request.logprobs = 0;
  request.prompt_logprobs = true;
  const auto heard = hear("x", request);
  EXPECT_EQ(heard->done->prompt_logprobs.logprobs, (std::vector<double>{-1, -1, -1, -1}));
  EXPECT_EQ(heard->done->finish_reason, FinishReason::kLength);
  EXPECT_TRUE(heard->done->ids.empty());
  EXPECT_TRUE(heard->pieces.empty());
}

TEST(RequestLoop, ACancelledRequestIsSilentAndItsNeighboursAreNot) {
  const auto model =
      scripted_model(says(std::string(30, 'x'), 2), {.context = 256, .batch = 4, .pages = 16});
  RequestLoop loop(*model);
  auto gone = std::make_shared<Heard>();
  auto stays = std::make_shared<Heard>();
  submit(loop, 1, ask("hi"), gone);
  submit(loop, 2, ask("ho"), stays);
  EXPECT_TRUE(loop.step());
  loop.cancel(1);
  loop.cancel(77);
  while (loop.step()) {
  }
  EXPECT_FALSE(gone->done);
  EXPECT_EQ(gone->pieces.size(), 1U);
  EXPECT_EQ(stays->text(), std::string(30, 'x'));
  EXPECT_EQ(gone.use_count(), 1);
}

TEST(RequestLoop, ARequestThatCannotBeAskedFailsAlone) {
  const auto model = scripted_model(says("ok", 2), {.context = 8, .batch = 4, .pages = 16});
  RequestLoop loop(*model);
  auto tall = std::make_shared<Heard>();
  auto fine = std::make_shared<Heard>();
  Request biased = ask("hi");
  biased.sampling.logit_bias = {{5, 1.0F}};
  auto refused = std::make_shared<Heard>();
  std::vector<IncomingRequest> three;
  three.push_back(incoming(1, ask("far too long"), tall));
  three.push_back(incoming(2, ask("hi"), fine));
  three.push_back(incoming(3, biased, refused));
  loop.submit(std::move(three));
  while (loop.step()) {
  }
  EXPECT_NE(tall->done->error.find("12 tokens"), std::string::npos);
  EXPECT_EQ(fine->done->text, "ok");
  EXPECT_NE(refused->done->error.find("logit_bias"), std::string::npos);
}

TEST(RequestLoop, ALostEngineEndsEveryRequestWithItsReason) {
  int steps = 0;
  const auto model = scripted_model(
      [&](const LogitQuery&) -> LogitResult {
        if (++steps > 3) throw_environment("the device is gone");
        return {.chosen = 'x'};
      },
      {.context = 64, .batch = 4, .pages = 16});
  RequestLoop loop(*model);
  auto heard = std::make_shared<Heard>();
  submit(loop, 1, ask("hi"), heard);
  try {
    while (loop.step()) {
    }
    FAIL() << "the loss is reported";
  } catch (const Error& error) {
    loop.fail(error.what());
  }
  EXPECT_EQ(heard->text(), "xxx");
  EXPECT_EQ(heard->done->error, "the device is gone");
  EXPECT_EQ(heard->done->finish_reason, FinishReason::kError);
  EXPECT_FALSE(loop.step());
}

}  // namespace
}  // namespace assay::engine
