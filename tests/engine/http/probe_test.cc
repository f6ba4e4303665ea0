// What the client finds out of a server before it asks anything of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/engine/http/client_fixture.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using test::ScriptedExchange;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kTwoModels = R"({"data": [{"id": "llama-8b", "created": 1},
  {"id": "llama-70b", "created": 1, "max_model_len": 4096}]})";

/// A server whose models are as given, and which can score as the handler says.
ScriptedServer::Handler with_models(const std::string& models,
                                    std::function<bool(ScriptedExchange&)> scoring = {}) {
  return [=](ScriptedExchange& exchange) {
    if (exchange.request().target == "/v1/models") {
      exchange.reply(200, models);
    } else if (!scoring || exchange.request().body.find("\"logprobs\"") == std::string::npos ||
               !scoring(exchange)) {
      test::serve_scripted_model(exchange);
    }
  };
}

std::string refusal_of(const EngineOptions& options) {
  return test::error_message([&] { (void)make_http_generator(options); });
}

TEST(ProbeTest, OneOfSeveralModelsMustBeChosen) {
  ScriptedServer server(with_models(kTwoModels));
  EngineOptions options = quick(server.url());
  EXPECT_THAT(refusal_of(options), AllOf(HasSubstr("--model-name"), HasSubstr("llama-70b")));
  options.model_name = "llama-7b";
  EXPECT_THAT(refusal_of(options),
              AllOf(HasSubstr("no model \"llama-7b\""), HasSubstr("did you mean")));
  options.model_name = "llama-70b";
  const auto model = make_http_generator(options);
  EXPECT_EQ(model->info().name, "llama-70b");
  EXPECT_EQ(model->info().context, 4096);
}

TEST(ProbeTest, TheIdentityDependsOnTheEntryButNotOnItsDay) {
  std::string entry = R"({"id": "m", "created": 1, "root": "a"})";
  ScriptedServer server(
      [&](ScriptedExchange& exchange) { with_models(R"({"data": [)" + entry + "]}")(exchange); });
  const auto digest = [&] { return make_http_generator(quick(server.url()))->info().digest; };
  const std::string first = digest();
  entry = R"({"id": "m", "created": 2, "root": "a"})";
  EXPECT_EQ(digest(), first);
  entry = R"({"id": "m", "created": 2, "root": "b"})";
  EXPECT_NE(digest(), first);
}

TEST(ProbeTest, AModelOfAssayKeepsItsIdentityBehindAnyAddress) {
  const auto info = [] {
    ScriptedServer server(with_models(R"({"data": [{"id": "m", "owned_by": "assay",
      "assay": {"name": "tiny", "digest": "d1", "tokenizer_digest": "t1", "setting": "fp8",
                "kv": "bf16", "device": "cpu", "arithmetic": "a1", "parameters": 7}}]})"));
    return make_http_generator(quick(server.url()))->info();
  };
  const ModelInfo one = info();
  const ModelInfo two = info();
  EXPECT_EQ(one.digest, "d1");
  EXPECT_EQ(one.name, "tiny");
  EXPECT_EQ(one.setting, "fp8");
  EXPECT_EQ(one.parameters, 7);
  EXPECT_EQ(one.digest, two.digest);
  EXPECT_NE(one.detail, two.detail);  // the endpoint
}

TEST(ProbeTest, AGatewayWithoutAListNeedsAName) {
  ScriptedServer server([](ScriptedExchange& exchange) {
    if (exchange.request().method == "GET") {
      exchange.reply(404, "");
    } else {
      test::serve_scripted_model(exchange);
    }
  });
  EngineOptions options = quick(server.url());
  EXPECT_THAT(refusal_of(options), HasSubstr("--model-name"));
  options.model_name = "m";
  EXPECT_EQ(make_http_generator(options)->info().name, "m");
}

TEST(ProbeTest, AListThatIsNoneIsRefused) {
  for (const char* models : {"[]", "{", R"({"data": 7})", "<html>"}) {
    ScriptedServer server(with_models(models));
    EXPECT_NE(refusal_of(quick(server.url())), "") << models;
  }
}

TEST(ProbeTest, AServerThatRefusesTheKeyIsUnusable) {
  ScriptedServer server([](ScriptedExchange& exchange) {
    exchange.reply(401, R"({"error": {"message": "who are you"}})");
  });
  EXPECT_THAT(refusal_of(quick(server.url())), HasSubstr("401: who are you"));
}

TEST(ProbeTest, ServersThatAreDownAreSkippedAsLongAsOneAnswers) {
  ScriptedServer server(test::serve_scripted_model);
  ScriptedServer gone(test::serve_scripted_model);
  gone.die();
  EXPECT_EQ(make_http_generator(quick(gone.url() + "," + server.url()))->info().name, "scripted");
  EXPECT_THAT(refusal_of(quick(gone.url())), HasSubstr("is the server running?"));
}

TEST(ProbeTest, EchoIsFoundAndPreferred) {
  ScriptedServer server(with_models(R"({"data": [{"id": "m"}]})", [](ScriptedExchange& exchange) {
    const Json body = parse_json(exchange.request().body, "body");
    if (body.find("echo") == nullptr) return false;
    if (body.at("max_tokens").as_int() == 0) {
      exchange.reply(400, R"({"error": {"message": "max_tokens must be at least 1"}})");
      return true;
    }
    exchange.reply(200, R"({"choices": [{"text": "", "finish_reason": "length", "logprobs": {
      "tokens": ["one two three", " four", " five", " six"],
      "token_logprobs": [null, -1, -2, -3], "top_logprobs": [null, {}, {}, {}]}}]})");
    return true;
  }));
  const auto model = make_http_generator(quick(server.url()));
  EXPECT_EQ(model->info().detail.at("scoring").as_string(), "echo");
}

TEST(ProbeTest, ATaskWhoseContinuationsAreNotListedIsRefusedBeforehand) {
  ScriptedServer server(with_models(R"({"data": [{"id": "m"}]})", [](ScriptedExchange& exchange) {
    const Json body = parse_json(exchange.request().body, "body");
    const bool possible = body.find("echo") == nullptr && body.at("logprobs").as_int() <= 20;
    exchange.reply(possible ? 200 : 400,
                   R"({"choices": [{"text": "x", "finish_reason": "length", "logprobs": {
      "tokens": ["x"], "token_logprobs": [-1], "top_logprobs": [{" A": -1, " B": -2}]}}]})");
    return true;
  }));
  const auto model = make_http_generator(quick(server.url()));
  EXPECT_EQ(model->info().detail.at("scoring").as_string(), "first token");
  EXPECT_EQ(model->info().detail.at("top_logprobs").as_int(), 20);
  Request request;
  request.prompt.text = "Q";
  request.continuations = {" A", " B"};
  EXPECT_EQ(model->refusal(request), "");
  request.continuations.emplace_back(" C");
  EXPECT_THAT(model->refusal(request), HasSubstr("\" C\" is not among the 2"));
}

}  // namespace
}  // namespace assay::engine
