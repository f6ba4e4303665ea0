// What is asked of a server and what its answers mean, without sockets.
#include "engine/generators/http/dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/reply.h"
#include "engine/generators/http/scoring.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const ReplyHead kJson{.status = 200, .content_type = "application/json; charset=utf-8"};
const ReplyHead kStream{.status = 200, .content_type = "text/event-stream"};

ServerTraits plain_traits() { return {.model = "m"}; }

Request text_request() {
  Request request;
  request.id = "gsm8k/test/0";
  request.prompt.text = "one two";
  request.sampling.max_tokens = 8;
  return request;
}

Json body_of(const HttpCall& call) { return parse_json(call.body, "call"); }

Completion answer(const Request& request, const ServerTraits& traits, const ReplyHead& head,
                  std::string_view bytes, std::size_t piece = 1 << 20,
                  std::vector<std::string>* deltas = nullptr) {
  DialogueOptions options{.stream = head.content_type == kStream.content_type, .deltas = {}};
  if (deltas != nullptr) {
    options.deltas = [deltas](const Delta& delta) { deltas->emplace_back(delta.text); };
  }
  const auto dialogue = make_dialogue(request, traits, std::move(options));
  (void)dialogue->call();
  std::int64_t now = 100;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    dialogue->take(head, bytes.substr(at, piece), ++now);
  }
  dialogue->end(++now);
  EXPECT_TRUE(dialogue->done());
  EXPECT_GT(dialogue->first_ns(), 100);
  EXPECT_GE(dialogue->last_ns(), dialogue->first_ns());
  return dialogue->finish();
}

TEST(CallTest, APlainPromptAsksForItsTextAndNoMore) {
  const Request request = text_request();
  const HttpCall call =
      make_dialogue(request, plain_traits(), {.stream = false, .deltas = {}})->call();
  EXPECT_EQ(call.path, "/completions");
  EXPECT_EQ(call.body, R"({"model":"m","prompt":"one two","max_tokens":8,"temperature":0.0})");
}

TEST(CallTest, SamplingIsSentWhereItDiffersFromNothing) {
  Request request = text_request();
  request.sampling = {.temperature = 0.7,
                      .top_k = 5,
                      .top_p = 0.9,
                      .min_p = 0.1,
                      .seed = 3,
                      .max_tokens = 4,
                      .stop = {"\n", "END"},
                      .ignore_eos = true};
  request.logprobs = 2;
  const Json body = body_of(completions_call(request, plain_traits(), true));
  EXPECT_EQ(body.at("top_k").as_int(), 5);
  EXPECT_EQ(body.at("min_p").as_double(), 0.1);
  EXPECT_EQ(body.at("stop").as_array().size(), 2U);
  EXPECT_TRUE(body.at("ignore_eos").as_bool());
  EXPECT_EQ(body.at("logprobs").as_int(), 2);
  EXPECT_TRUE(body.at("stream_options").at("include_usage").as_bool());
  EXPECT_EQ(body.find("request_id"), nullptr);
}

// A server that knows nothing of sample ids must still draw differently for each sample and repeat.
TEST(CallTest, SeedsDifferBySampleAndRepeatUnlessTheServerTakesTheirNames) {
  Request a = text_request();
  a.sampling.temperature = 1;
  a.sampling.seed = 7;
  Request b = a;
  b.id = "gsm8k/test/1";
  Request c = a;
  c.repeat = 1;
  const auto seed = [](const Request& request, const ServerTraits& traits) {
    return body_of(completions_call(request, traits, false)).at("seed").as_int();
  };
  EXPECT_EQ(seed(a, plain_traits()), seed(a, plain_traits()));
  EXPECT_NE(seed(a, plain_traits()), seed(b, plain_traits()));
  EXPECT_NE(seed(a, plain_traits()), seed(c, plain_traits()));
  ServerTraits own = plain_traits();
  own.request_keys = true;
  EXPECT_EQ(seed(a, own), 7);
  const Json body = body_of(completions_call(c, own, false));
  EXPECT_EQ(body.at("request_id").as_string(), "gsm8k/test/0");
  EXPECT_EQ(body.at("repeat").as_int(), 1);
}

TEST(CallTest, AChatSendsItsMessagesAndAnOpenedAnswerIsContinued) {
  Request request = text_request();
  request.prompt = {.form = PromptInput::Form::kChat,
                    .messages = {{"system", "be short"}, {"user", "2+2?"}},
                    .assistant_prefix = "It is"};
  ServerTraits traits = plain_traits();
  EXPECT_THAT(refusal(request, traits), HasSubstr("begin with given words"));
  traits.prefix = true;
  EXPECT_EQ(refusal(request, traits), "");
  const HttpCall call = chat_call(request, traits, false);
  EXPECT_EQ(call.path, "/chat/completions");
  const Json body = body_of(call);
  EXPECT_EQ(body.at("messages").as_array().size(), 3U);
  EXPECT_TRUE(body.at("continue_final_message").as_bool());
  EXPECT_FALSE(body.at("add_generation_prompt").as_bool());
}

TEST(CallTest, IdsAreSentAsIds) {
  Request request = text_request();
  request.prompt = {.form = PromptInput::Form::kIds, .ids = {1, 2, 3}};
  EXPECT_EQ(body_of(completions_call(request, plain_traits(), false)).at("prompt"),
            parse_json("[1,2,3]", "ids"));
}

TEST(TextDialogueTest, AWholeAnswerIsRead) {
  const Completion c =
      answer(text_request(), plain_traits(), kJson,
             R"({"model": "m-1", "system_fingerprint": "fp", "choices": [{"index": 0,
      "text": " three", "finish_reason": "length", "logprobs": null}],
      "usage": {"prompt_tokens": 4, "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 3}}})");
  EXPECT_EQ(c.text, " three");
  EXPECT_EQ(c.finish_reason, FinishReason::kLength);
  EXPECT_EQ(c.prompt_tokens, 4);
  EXPECT_EQ(c.output_tokens, 2);
  EXPECT_EQ(c.cached_prompt_tokens, 3);
  EXPECT_EQ(c.served.model, "m-1");
  EXPECT_EQ(c.served.fingerprint, "fp");
}

constexpr std::string_view kChatStream =
    ": ping\n\n"
    R"(data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})"
    "\n\n"
    R"(data: {"choices":[{"index":0,"delta":{"content":"Gr\u00fc"},"logprobs":{"content":[)"
    "\r\n"
    R"(data: {"token":"Gr\u00fc","id":5,"logprob":-0.25,"top_logprobs":[)"
    "\r\n"
    R"(data: {"token":"Gr\u00fc","id":5,"logprob":-0.25}]}]}}]})"
    "\r\n\r\n"
    R"(data: {"choices":[{"index":0,"delta":{"content":"ße"},"logprobs":{"content":[)"
    R"({"token":"e","id":6,"logprob":-1.5,"top_logprobs":[]}]}}]})"
    "\n\n"
    R"(data:{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
    "\n\n"
    R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}})"
    "\n\ndata: [DONE]\n\n";

// Role-only, usage-only chunks; an event over two lines; pieces that cut characters.
TEST(TextDialogueTest, AStreamIsTheSameInPiecesOfAnySize) {
  Request request = text_request();
  request.prompt = {.form = PromptInput::Form::kChat, .messages = {{"user", "hi"}}};
  request.logprobs = 1;
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 64UL, 100'000UL}) {
    std::vector<std::string> deltas;
    const Completion c = answer(request, plain_traits(), kStream, kChatStream, piece, &deltas);
    EXPECT_EQ(c.text, "Grüße");
    EXPECT_THAT(deltas, ElementsAre("Grü", "ße"));
    EXPECT_THAT(c.ids, ElementsAre(5, 6));
    ASSERT_EQ(c.logprobs.size(), 2U);
    EXPECT_EQ(c.logprobs[0].logprob, -0.25F);
    EXPECT_EQ(c.logprobs[0].top.front().first, 5);
    EXPECT_EQ(c.finish_reason, FinishReason::kEos);
    EXPECT_EQ(c.output_tokens, 3);
  }
}

TEST(TextDialogueTest, AServerThatDoesNotStreamIsReadAllTheSame) {
  DialogueOptions options{.stream = true, .deltas = {}};
  const Request request = text_request();
  const ServerTraits traits = plain_traits();
  const auto dialogue = make_dialogue(request, traits, std::move(options));
  (void)dialogue->call();
  dialogue->take(kJson, R"({"choices": [{"text": "x", "finish_reason": "stop"}]})", 1);
  dialogue->end(2);
  EXPECT_EQ(dialogue->finish().text, "x");
}

TEST(TextDialogueTest, WhatStoppedAnAnswerIsToldApartWhereTheServerSays) {
  Request request = text_request();
  const auto reason = [&](const std::string& more) {
    return answer(request, plain_traits(), kJson,
                  R"({"choices": [{"text": "a", "finish_reason": "stop")" + more + "}]}")
        .finish_reason;
  };
  EXPECT_EQ(reason(""), FinishReason::kEos);
  request.sampling.stop = {"\n"};
  EXPECT_EQ(reason(""), FinishReason::kStop);
  EXPECT_EQ(reason(R"(, "stop_reason": null)"), FinishReason::kEos);
  EXPECT_EQ(reason(R"(, "stop_reason": 128009)"), FinishReason::kEos);
  EXPECT_EQ(reason(R"(, "stop_reason": "\n")"), FinishReason::kStop);
}

TEST(TextDialogueTest, AStopStringThatTheServerLeftInIsCut) {
  Request request = text_request();
  request.sampling.stop = {"END", "\n"};
  const Completion c = answer(request, plain_traits(), kJson,
                              R"({"choices": [{"text": "a\nb END", "finish_reason": "length"}]})");
  EXPECT_EQ(c.text, "a");
  EXPECT_EQ(c.finish_reason, FinishReason::kStop);
}

TEST(TextDialogueTest, AWithheldAnswerIsRefusedAndNotAShortOne) {
  try {
    (void)answer(text_request(), plain_traits(), kJson,
                 R"({"choices": [{"text": "", "finish_reason": "content_filter"}]})");
    FAIL();
  } catch (const Fault& fault) {
    EXPECT_EQ(fault.kind, FaultKind::kRefused);
    EXPECT_THAT(fault.text, HasSubstr("content_filter"));
  }
}

Request choice_request() {
  Request request = text_request();
  request.prompt.text = "Q: x\nAnswer:";
  request.continuations = {" A", " B"};
  return request;
}

/// An echo of these tokens, each with a log-probability of minus its place.
std::string echo_json(const std::vector<std::string>& tokens) {
  Json::Array texts, values, top;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    texts.emplace_back(tokens[i]);
    values.emplace_back();
    if (i > 0) values.back() = -0.5 * static_cast<double>(i);
    Json best{Json::Object{}};
    best.set(i % 2 == 0 ? tokens[i] : "other", -0.1);
    top.push_back(best);
  }
  Json logprobs;
  logprobs.set("tokens", texts);
  logprobs.set("token_logprobs", values);
  logprobs.set("top_logprobs", top);
  Json choice;
  choice.set("text", "");
  choice.set("logprobs", logprobs);
  choice.set("finish_reason", "length");
  Json out;
  out.set("choices", Json::Array{choice});
  return out.dump();
}

TEST(ScoringTest, AnEchoIsCutWhereTheContinuationBegins) {
  ServerTraits traits = plain_traits();
  traits.scoring = Scoring::kEcho;
  const Request request = choice_request();
  const auto dialogue = make_dialogue(request, traits, {});
  const Json body = body_of(dialogue->call());
  EXPECT_EQ(body.at("prompt").as_string(), "Q: x\nAnswer: A");
  EXPECT_TRUE(body.at("echo").as_bool());
  EXPECT_EQ(body.at("max_tokens").as_int(), 0);
  dialogue->take(kJson, echo_json({"<s>", "Q: x\n", "Answer", ":", " A"}), 1);
  dialogue->end(1);
  EXPECT_FALSE(dialogue->done());
  EXPECT_EQ(body_of(dialogue->call()).at("prompt").as_string(), "Q: x\nAnswer: B");
  dialogue->take(kJson, echo_json({"<s>", "Q: x\n", "Answer", ":", " ", "B"}), 2);
  dialogue->end(2);
  ASSERT_TRUE(dialogue->done());
  const Completion c = dialogue->finish();
  EXPECT_EQ(c.finish_reason, FinishReason::kScored);
  EXPECT_EQ(c.continuations[0].logprob, -2.0);
  EXPECT_TRUE(c.continuations[0].greedy);
  EXPECT_EQ(c.continuations[1].logprob, -2.0 - 2.5);
  EXPECT_FALSE(c.continuations[1].greedy);
}

TEST(ScoringTest, AGeneratedTokenBehindTheEchoIsLeftOut) {
  ServerTraits traits = plain_traits();
  traits.scoring = Scoring::kEcho;
  traits.echo_tokens = 1;
  Request request = choice_request();
  request.continuations = {" A"};
  const auto dialogue = make_dialogue(request, traits, {});
  (void)dialogue->call();
  dialogue->take(kJson, echo_json({"<s>", "Q: x\nAnswer:", " A", " A"}), 1);
  dialogue->end(1);
  EXPECT_EQ(dialogue->finish().continuations[0].logprob, -1.0);
}

// Tokens that do not meet at the border: the context's own number of tokens decides, as in the
// built-in engine.
TEST(ScoringTest, WhereTokensCrossTheBorderTheContextIsCounted) {
  ServerTraits traits = plain_traits();
  traits.scoring = Scoring::kEcho;
  Request request = choice_request();
  request.continuations = {"ness"};
  const auto dialogue = make_dialogue(request, traits, {});
  (void)dialogue->call();
  dialogue->take(kJson, echo_json({"<s>", "Q: x\n", "Answ", "er:ness"}), 1);
  dialogue->end(1);
  ASSERT_FALSE(dialogue->done());
  EXPECT_EQ(body_of(dialogue->call()).at("prompt").as_string(), "Q: x\nAnswer:");
  dialogue->take(kJson, echo_json({"<s>", "Q: x\n", "Answer:"}), 2);
  dialogue->end(2);
  ASSERT_TRUE(dialogue->done());
  EXPECT_EQ(dialogue->finish().continuations[0].logprob, -1.5);
}

TEST(ScoringTest, WithoutEchoTheFirstTokensAlternativesDecide) {
  ServerTraits traits = plain_traits();
  traits.scoring = Scoring::kTop;
  traits.top = 20;
  const Request request = choice_request();
  const auto dialogue = make_dialogue(request, traits, {});
  const Json body = body_of(dialogue->call());
  EXPECT_EQ(body.at("max_tokens").as_int(), 1);
  EXPECT_EQ(body.at("logprobs").as_int(), 20);
  dialogue->take(kJson,
                 R"({"choices": [{"text": " B", "finish_reason": "length", "logprobs": {
    "content": [{"token": " B", "id": 7, "logprob": -0.5, "top_logprobs": [
      {"token": " B", "id": 7, "logprob": -0.5},
      {"token": " A", "id": 6, "logprob": -1.25}]}]}}]})",
                 1);
  dialogue->end(1);
  const Completion c = dialogue->finish();
  EXPECT_EQ(c.continuations[0].logprob, -1.25);
  EXPECT_FALSE(c.continuations[0].greedy);
  EXPECT_EQ(c.continuations[1].logprob, -0.5);
  EXPECT_TRUE(c.continuations[1].greedy);
  EXPECT_THAT(c.continuations[1].ids, ElementsAre(7));
}

TEST(ScoringTest, AContinuationThatTheServerDoesNotListIsRefusedByName) {
  ServerTraits traits = plain_traits();
  traits.scoring = Scoring::kTop;
  traits.top = 5;
  const Request request = choice_request();
  const auto dialogue = make_dialogue(request, traits, {});
  (void)dialogue->call();
  dialogue->take(kJson, R"({"choices": [{"text": "x", "finish_reason": "length", "logprobs": {
    "tokens": ["x"], "token_logprobs": [-0.5], "top_logprobs": [{"x": -0.5, " A": -2}]}}]})",
                 1);
  try {
    dialogue->end(1);
    FAIL();
  } catch (const Fault& fault) {
    EXPECT_THAT(fault.text, HasSubstr("\" B\" is not among the 2"));
  }
}

TEST(RefusalTest, WhatAServerCannotDoIsSaid) {
  ServerTraits traits = plain_traits();
  EXPECT_THAT(refusal(choice_request(), traits), HasSubstr("no log-probabilities"));
  Request chat = choice_request();
  chat.prompt.form = PromptInput::Form::kChat;
  traits.scoring = Scoring::kEcho;
  EXPECT_EQ(refusal(choice_request(), traits), "");
  EXPECT_THAT(refusal(chat, traits), HasSubstr("plain prompts alone"));
  Request rendered = text_request();
  rendered.prompt.form = PromptInput::Form::kRendered;
  EXPECT_THAT(refusal(rendered, traits), HasSubstr("template tokens"));
}

// Whatever a server sends: a reply, or a Fault, and never anything else.
TEST(ReplyTest, AnythingThatIsNoAnswerIsAFault) {
  for (const char* text :
       {"", "null", "[]", "{", R"({"choices": 1})", R"({"choices": [{"logprobs": {}}]})",
        R"({"choices": [{"logprobs": {"tokens": ["a"], "token_logprobs": []}}]})",
        R"({"choices": [{"logprobs": {"tokens": [1], "token_logprobs": [1]}}]})",
        R"({"choices": [{"logprobs": {"content": [{"token": "a"}]}}]})",
        R"({"choices": [{"logprobs": {"content": [7]}}]})", R"({"choices": [{"token_ids": [-1]}]})",
        R"({"choices": [{"token_ids": ["a"]}]})",
        R"({"error": {"message": "m"}, "choices": []})"}) {
    EXPECT_THROW((void)read_reply(text), Fault) << text;
  }
  for (const char* text :
       {R"({"choices": []})", R"({"choices": [7]})", R"({"choices": [{"text": 7}]})",
        R"({"choices": [{"delta": null}], "usage": 3, "model": 4})",
        R"({"choices": [{"index": 1, "text": "second"}]})"}) {
    EXPECT_EQ(read_reply(text).text, "") << text;
  }
}

TEST(ReplyTest, ErrorAnswersAreSortedByWhatTheyMean) {
  const auto kind = [](unsigned status, const char* body) {
    return status_fault({.status = status}, body).kind;
  };
  EXPECT_EQ(kind(401, ""), FaultKind::kFatal);
  EXPECT_EQ(kind(404, R"({"error": {"code": "model_not_found"}})"), FaultKind::kFatal);
  EXPECT_EQ(kind(429, R"({"error": {"code": "insufficient_quota"}})"), FaultKind::kFatal);
  EXPECT_EQ(kind(429, "slow down"), FaultKind::kBusy);
  EXPECT_EQ(kind(400, ""), FaultKind::kRefused);
  EXPECT_EQ(kind(422, R"({"detail": [{"loc": ["body"]}]})"), FaultKind::kRefused);
  for (const unsigned status : {408U, 409U, 425U, 500U, 502U, 503U, 529U}) {
    EXPECT_EQ(kind(status, ""), FaultKind::kServer) << status;
  }
  EXPECT_EQ(kind(302, ""), FaultKind::kFatal);
  EXPECT_THAT(status_fault({.status = 500}, "\x1b[31mred\x07").text,
              ::testing::Not(HasSubstr("\x1b")));
}

TEST(ScoringTest, EndingsAreFoundOnlyWhereTokensSpellThem) {
  const std::vector<ReplyToken> tokens = {{.text = "a"}, {.text = " b"}, {.text = "c"}};
  EXPECT_EQ(begin_of_ending(tokens, " bc"), 1U);
  EXPECT_EQ(begin_of_ending(tokens, "c"), 2U);
  EXPECT_EQ(begin_of_ending(tokens, "bc"), std::nullopt);
  EXPECT_EQ(begin_of_ending(tokens, "za bc"), std::nullopt);
  EXPECT_EQ(begin_of_ending(tokens, ""), 3U);
}

}  // namespace
}  // namespace assay::engine
