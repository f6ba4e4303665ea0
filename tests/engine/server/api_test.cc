// The API of the server on the demonstration model, by a client that sends plain bytes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/prompt_encoder.h"
#include "tests/engine/server/running_server.h"

namespace assay::engine {
namespace {

using test::events_of;
using test::get;
using test::post;
using test::RawReply;
using test::RunningServer;

class Api : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    session_ = make_session(
        {.model = ASSAY_MINI_MODEL, .precision = "fp8", .threads = 1, .chat_format = "plain"});
    server_ = std::make_unique<RunningServer>(*session_);
  }
  static void TearDownTestSuite() {
    server_.reset();
    session_.reset();
  }
  static Json complete(const std::string& body) {
    return server_->ask_json("/v1/completions", body);
  }
  static Json chat(const std::string& body) {
    return server_->ask_json("/v1/chat/completions", body);
  }
  static std::vector<Json> stream(const std::string& path, const std::string& body) {
    const RawReply reply = server_->ask(post(path, body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream; charset=utf-8");
    return events_of(reply.body);
  }
  /// The error object of a refused request.
  static Json refused(const std::string& path, const std::string& body, int status = 400) {
    const RawReply reply = server_->ask(post(path, body));
    EXPECT_EQ(reply.status, status) << body << " -> " << reply.body;
    return parse_json(reply.body, "reply").at("error");
  }

  static std::unique_ptr<Session> session_;
  static std::unique_ptr<RunningServer> server_;
};

std::unique_ptr<Session> Api::session_;
std::unique_ptr<RunningServer> Api::server_;

const Json& first_choice(const Json& reply) { return reply.at("choices").as_array().at(0); }

TEST_F(Api, ACompletionIsWhatTheEngineAnswers) {
  const Json reply = complete(R"({"prompt": "Q: 1 + 1 =", "max_tokens": 6, "temperature": 0,
                                  "model": "model", "return_token_ids": true})");
  EXPECT_EQ(reply.at("object").as_string(), "text_completion");
  EXPECT_EQ(reply.at("model").as_string(), "model");
  EXPECT_TRUE(reply.at("id").as_string().starts_with("cmpl-"));
  const Json& choice = first_choice(reply);
  const auto& ids = choice.at("token_ids").as_array();
  const auto& prompt_ids = choice.at("prompt_token_ids").as_array();
  EXPECT_EQ(reply.at("usage").at("completion_tokens").as_int(),
            static_cast<std::int64_t>(ids.size()));
  EXPECT_EQ(reply.at("usage").at("prompt_tokens").as_int(),
            static_cast<std::int64_t>(prompt_ids.size()));
  EXPECT_TRUE(choice.at("logprobs").is_null());
  // The same through the engine alone.
  Request request;
  request.prompt.text = "Q: 1 + 1 =";
  request.sampling.max_tokens = 6;
  const auto model = make_generator({.model = ASSAY_MINI_MODEL, .precision = "fp8", .threads = 1});
  model->run({&request, 1}, [&](std::size_t, const Completion& completion) {
    EXPECT_EQ(completion.text, choice.at("text").as_string());
    EXPECT_EQ(completion.ids.size(), ids.size());
    return true;
  });
}

TEST_F(Api, StreamedPiecesTogetherAreTheWholeAnswer) {
  const std::string common =
      R"("prompt": "Q: Ann has 3 apples.", "max_tokens": 40, "temperature": 0.9, "seed": 7)";
  const std::string whole = first_choice(complete("{" + common + "}")).at("text").as_string();
  const auto events =
      stream("/v1/completions",
             "{" + common + R"(, "stream": true, "stream_options": {"include_usage": true}})");
  std::string text;
  std::string finish;
  for (const Json& event : events) {
    if (event.at("choices").as_array().empty()) continue;
    EXPECT_TRUE(event.at("usage").is_null());
    text += first_choice(event).at("text").as_string();
    if (!first_choice(event).at("finish_reason").is_null()) {
      EXPECT_EQ(finish, "");
      finish = first_choice(event).at("finish_reason").as_string();
    }
  }
  EXPECT_EQ(text, whole);
  EXPECT_TRUE(finish == "stop" || finish == "length");
  EXPECT_GT(events.back().at("usage").at("completion_tokens").as_int(), 0);
}

TEST_F(Api, ChatStreamsBeginWithTheRoleAndEndWithTheReason) {
  const std::string body =
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
          "max_completion_tokens": 5, "temperature": 0, "ignore_eos": true, "n": 2)";
  const Json whole = chat(body + "}");
  EXPECT_EQ(whole.at("object").as_string(), "chat.completion");
  EXPECT_EQ(whole.at("choices").as_array().size(), 2U);
  const auto events = stream("/v1/chat/completions", body + R"(, "stream": true})");
  std::vector<std::string> text(2);
  std::vector<std::string> finish(2);
  std::vector<bool> begun(2);
  for (const Json& event : events) {
    EXPECT_EQ(event.at("object").as_string(), "chat.completion.chunk");
    const Json& choice = first_choice(event);
    const auto index = static_cast<std::size_t>(choice.at("index").as_int());
    const Json& delta = choice.at("delta");
    EXPECT_EQ(delta.find("role") != nullptr, !begun[index]);
    begun[index] = true;
    if (const Json* content = delta.find("content")) text[index] += content->as_string();
    if (!choice.at("finish_reason").is_null()) {
      finish[index] = choice.at("finish_reason").as_string();
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const Json& choice = whole.at("choices").as_array()[i];
    EXPECT_EQ(text[i], choice.at("message").at("content").as_string());
    EXPECT_EQ(finish[i], "length");
  }
}

/// The sum of the echoed log-probabilities is the continuation's score, to the last bit.
TEST_F(Api, EchoedLogprobsScoreAContinuationBitForBit) {
  Request request;
  request.prompt.text = "Q: Which is larger, 3 or 5?\nA:";
  request.continuations = {" 5", " the third one, of course"};
  const auto model = make_generator({.model = ASSAY_MINI_MODEL, .precision = "fp8", .threads = 1});
  Completion scored;
  model->run({&request, 1}, [&](std::size_t, Completion completion) {
    scored = std::move(completion);
    return true;
  });
  ASSERT_EQ(scored.error, "");
  for (std::size_t i = 0; i < request.continuations.size(); ++i) {
    const Json body = [&] {
      Json out;
      out.set("prompt", request.prompt.text + request.continuations[i]);
      out.set("max_tokens", 0);
      out.set("echo", true);
      out.set("logprobs", 1);
      out.set("return_token_ids", true);
      return out;
    }();
    const Json reply = complete(body.dump());
    const Json& choice = first_choice(reply);
    EXPECT_EQ(choice.at("text").as_string(), request.prompt.text + request.continuations[i]);
    EXPECT_EQ(choice.at("finish_reason").as_string(), "length");
    const Json& logprobs = choice.at("logprobs");
    const auto& values = logprobs.at("token_logprobs").as_array();
    const auto& ids = logprobs.at("token_ids").as_array();
    EXPECT_TRUE(values.front().is_null());
    EXPECT_EQ(values.size(), ids.size());
    EXPECT_EQ(logprobs.at("tokens").as_array().size(), ids.size());
    EXPECT_EQ(logprobs.at("top_logprobs").as_array().size(), ids.size());
    EXPECT_EQ(logprobs.at("text_offset").as_array().size(), ids.size());
    EXPECT_EQ(logprobs.at("top_token_ids").as_array().size(), ids.size());
    const ContinuationScore& score = scored.continuations[i];
    const std::size_t begin = ids.size() - score.ids.size();
    double sum = 0;
    bool greedy = true;
    for (std::size_t k = 0; k < score.ids.size(); ++k) {
      EXPECT_EQ(ids[begin + k].as_int(), score.ids[k]);
      sum += values[begin + k].as_double();
      const Json& best = logprobs.at("top_token_ids").as_array()[begin + k].as_array().at(0);
      greedy = greedy && best.as_int() == score.ids[k];
    }
    EXPECT_EQ(sum, score.logprob);
    EXPECT_EQ(greedy, score.greedy);
  }
}

TEST_F(Api, LogprobsAreExactAndOffsetsPointIntoTheText) {
  const Json reply = complete(
      R"({"prompt": "Q: caf\u00e9", "max_tokens": 8, "temperature": 0, "logprobs": 3,
          "echo": true})");
  const Json& choice = first_choice(reply);
  const std::u32string text = to_code_points(choice.at("text").as_string());
  const Json& logprobs = choice.at("logprobs");
  const auto& tokens = logprobs.at("tokens").as_array();
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    const std::u32string token = to_code_points(tokens[i].as_string());
    const auto offset = static_cast<std::size_t>(logprobs.at("text_offset").as_array()[i].as_int());
    if (tokens[i].as_string().starts_with("bytes:") || tokens[i].as_string().starts_with("<|")) {
      continue;
    }
    EXPECT_EQ(text.substr(offset, token.size()), token) << i;
    EXPECT_LE(logprobs.at("top_logprobs").as_array()[i].as_object().size(), 3U);
  }
}

TEST_F(Api, ChatLogprobsNameTokensAndBytes) {
  const Json reply = chat(R"({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3,
      "temperature": 0, "logprobs": true, "top_logprobs": 2, "return_token_ids": true})");
  for (const Json& token : first_choice(reply).at("logprobs").at("content").as_array()) {
    EXPECT_LE(token.at("logprob").as_double(), 0);
    EXPECT_EQ(token.at("top_logprobs").as_array().size(), 2U);
    EXPECT_EQ(token.at("top_logprobs").as_array()[0].at("id"), token.at("id"));
    EXPECT_FALSE(token.at("bytes").as_array().empty());
  }
}

TEST_F(Api, SeedAndChoiceDecideWhatIsDrawn) {
  const std::string body =
      R"({"prompt": "Q:", "max_tokens": 12, "temperature": 1.5, "seed": -5, "n": 3)";
  const auto texts = [&](const std::string& more) {
    std::vector<std::string> out;
    const Json reply = complete(body + more + "}");
    for (const Json& choice : reply.at("choices").as_array()) {
      out.push_back(choice.at("text").as_string());
    }
    return out;
  };
  const auto first = texts("");
  EXPECT_EQ(texts(""), first);
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(texts(R"(, "repeat": 1)")[0], first[1]);
  EXPECT_NE(texts(R"(, "request_id": "other")"), first);
}

TEST_F(Api, BestOfTellsTheLikeliestFirst) {
  const Json reply = complete(R"({"prompt": ["Q: a", "Q: b"], "max_tokens": 6, "temperature": 1.2,
      "seed": 3, "best_of": 4, "n": 2, "logprobs": 0})");
  const auto& choices = reply.at("choices").as_array();
  ASSERT_EQ(choices.size(), 4U);
  const auto mean = [](const Json& choice) {
    const auto& values = choice.at("logprobs").at("token_logprobs").as_array();
    double sum = 0;
    for (const Json& value : values) sum += value.as_double();
    return sum / static_cast<double>(values.size());
  };
  EXPECT_GE(mean(choices[0]), mean(choices[1]));
  EXPECT_GE(mean(choices[2]), mean(choices[3]));
  EXPECT_GT(reply.at("usage").at("completion_tokens").as_int(), 12);
}

TEST_F(Api, StopBiasAndFiltersReachTheEngine) {
  const Json free = complete(R"({"prompt": "Q:", "max_tokens": 8, "temperature": 0,
                                 "return_token_ids": true})");
  const Json& id = first_choice(free).at("token_ids").as_array().at(0);
  const Json banned = complete(fmt::format(
      R"({{"prompt": "Q:", "max_tokens": 1, "temperature": 0, "return_token_ids": true,
          "logit_bias": {{"{}": -100}}}})",
      id.as_int()));
  EXPECT_NE(first_choice(banned).at("token_ids").as_array().at(0), id);
  const std::string text = first_choice(free).at("text").as_string();
  const std::string stop = text.substr(1, 1);
  Json body;
  body.set("prompt", "Q:");
  body.set("max_tokens", 8);
  body.set("temperature", 0);
  body.set("stop", Json::Array{stop, "never this"});
  const Json stopped = complete(body.dump());
  EXPECT_EQ(first_choice(stopped).at("text").as_string(), text.substr(0, text.find(stop)));
  EXPECT_EQ(first_choice(stopped).at("stop_reason").as_string(), stop);
  EXPECT_EQ(first_choice(stopped).at("finish_reason").as_string(), "stop");
  const Json narrow =
      complete(R"({"prompt": "Q:", "max_tokens": 8, "temperature": 5, "top_k": 1})");
  EXPECT_EQ(first_choice(narrow).at("text").as_string(), text);
  const Json nucleus =
      complete(R"({"prompt": "Q:", "max_tokens": 8, "temperature": 5, "top_p": 0})");
  EXPECT_EQ(first_choice(nucleus).at("text").as_string(), text);
}

TEST_F(Api, PromptsMayBeIdsAndLists) {
  const Json ids = server_->ask_json("/tokenize", R"({"prompt": "Q: what"})");
  const std::string list = ids.at("tokens").dump();
  const Json one = complete(R"({"prompt": "Q: what", "max_tokens": 4, "temperature": 0})");
  const Json two =
      complete(R"({"prompt": [)" + list + "," + list + R"(], "max_tokens": 4, "temperature": 0})");
  const Json flat = complete(R"({"prompt": )" + list + R"(, "max_tokens": 4, "temperature": 0})");
  for (const Json& choice : two.at("choices").as_array()) {
    EXPECT_EQ(choice.at("text"), first_choice(one).at("text"));
  }
  EXPECT_EQ(first_choice(flat).at("text"), first_choice(one).at("text"));
  EXPECT_EQ(two.at("usage").at("prompt_tokens").as_int(), 2 * ids.at("count").as_int());
}

TEST_F(Api, AnUnfinishedAnswerIsContinued) {
  const Json whole = chat(R"({"messages": [{"role": "user", "content": "Hi"},
      {"role": "assistant", "content": "The answer"}], "continue_final_message": true,
      "add_generation_prompt": false, "max_tokens": 4, "temperature": 0,
      "return_token_ids": true})");
  Request request;
  request.prompt.form = PromptInput::Form::kChat;
  request.prompt.messages = {{.role = "user", .content = "Hi"}};
  request.prompt.assistant_prefix = "The answer";
  const auto expected = session_->encoder()->encode(request.prompt);
  const auto& ids = first_choice(whole).at("prompt_token_ids").as_array();
  ASSERT_EQ(ids.size(), expected.size());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i].as_int(), expected[i]);
}

TEST_F(Api, TokensAndTextAreTheTokenizers) {
  const Json tokens = server_->ask_json(
      "/tokenize", R"({"prompt": "na\u00efve <|eot_id|>", "add_special_tokens": false})");
  EXPECT_EQ(tokens.at("count").as_int(),
            static_cast<std::int64_t>(tokens.at("tokens").as_array().size()));
  Json body;
  body.set("tokens", tokens.at("tokens"));
  EXPECT_EQ(server_->ask_json("/detokenize", body.dump()).at("prompt").as_string(),
            "na\xc3\xafve <|eot_id|>");
  EXPECT_EQ(refused("/detokenize", R"({"tokens": [99999999]})").at("param").as_string(), "tokens");
}

TEST_F(Api, ModelsHealthAndMetricsAnswer) {
  const RawReply models = server_->ask(get("/v1/models"));
  const Json list = parse_json(models.body, "models");
  EXPECT_EQ(list.at("data").as_array().at(0).at("id").as_string(), "model");
  EXPECT_EQ(list.at("data").as_array().at(0).at("owned_by").as_string(), "assay");
  EXPECT_EQ(server_->ask(get("/v1/models/model")).status, 200);
  EXPECT_EQ(server_->ask(get("/v1/models/other")).status, 404);
  EXPECT_EQ(server_->ask(get("/health")).body, R"({"status":"ok"})");
  complete(R"({"prompt": "Q:", "max_tokens": 2})");
  const std::string metrics = server_->ask(get("/metrics")).body;
  EXPECT_NE(metrics.find("assay_requests_total{path=\"/v1/completions\",status=\"200\"}"),
            std::string::npos);
  EXPECT_NE(metrics.find("assay_first_token_seconds_bucket{le=\"+Inf\"}"), std::string::npos);
  EXPECT_NE(metrics.find("assay_answers_in_flight 0"), std::string::npos);
}

/// Field by field, what is no legal value; each error names its field.
TEST_F(Api, WrongParametersAreRefusedByName) {
  const std::string prompt = R"("prompt": "Q:", )";
  const std::pair<const char*, const char*> cases[] = {
      {R"("max_tokens": -1)", "max_tokens"},
      {R"("max_tokens": 1.5)", "max_tokens"},
      {R"("max_tokens": "1")", "max_tokens"},
      {R"("max_tokens": 0)", "max_tokens"},
      {R"("max_tokens": 99999999999)", "max_tokens"},
      {R"("temperature": -0.1)", "temperature"},
      {R"("temperature": "hot")", "temperature"},
      {R"("temperature": 1e300)", "temperature"},
      {R"("top_p": 1.1)", "top_p"},
      {R"("top_k": -2)", "top_k"},
      {R"("min_p": 2)", "min_p"},
      {R"("n": 0)", "n"},
      {R"("n": 100000)", "n"},
      {R"("n": 3, "best_of": 2)", "best_of"},
      {R"("best_of": 2, "stream": true)", "best_of"},
      {R"("seed": 1.5)", "seed"},
      {R"("seed": 1e30)", "seed"},
      {R"("stop": 5)", "stop"},
      {R"("stop": [""])", "stop"},
      {R"("stop": ["a", 1])", "stop"},
      {R"("stop": {"a": 1})", "stop"},
      {R"("logprobs": true)", "logprobs"},
      {R"("logprobs": 101)", "logprobs"},
      {R"("logit_bias": {"x": 1})", "logit_bias"},
      {R"("logit_bias": {"1": 101})", "logit_bias"},
      {R"("logit_bias": {"1": "1"})", "logit_bias"},
      {R"("logit_bias": {"-1": 1})", "logit_bias"},
      {R"("logit_bias": {"9999999": 1})", "logit_bias"},
      {R"("logit_bias": {"1": 1, "01": 2})", "logit_bias"},
      {R"("echo": 1)", "echo"},
      {R"("echo": true, "logprobs": 1, "stream": true)", "stream"},
      {R"("stream": "yes")", "stream"},
      {R"("stream_options": {})", "stream_options"},
      {R"("stream": true, "stream_options": {"include": true})", "stream_options.include"},
      {R"("suffix": "end")", "suffix"},
      {R"("presence_penalty": 0.5)", "presence_penalty"},
      {R"("repetition_penalty": 1.1)", "repetition_penalty"},
      {R"("tempreature": 1)", "tempreature"},
      {R"("repeat": -1)", "repeat"},
  };
  for (const auto& [field, name] : cases) {
    const Json error = refused("/v1/completions", "{" + prompt + field + "}");
    EXPECT_EQ(error.at("param").as_string(), name) << field;
    EXPECT_EQ(error.at("type").as_string(), "invalid_request_error");
  }
  for (const char* bad :
       {R"({})", R"({"prompt": null})", R"({"prompt": []})", R"({"prompt": 5})",
        R"({"prompt": ["a", 5]})", R"({"prompt": [5, "a"]})", R"({"prompt": [[5], "a"]})",
        R"({"prompt": [-1]})", R"({"prompt": [99999999]})", R"({"prompt": [99999999999]})"}) {
    EXPECT_EQ(refused("/v1/completions", bad).at("param").as_string(), "prompt") << bad;
  }
}

TEST_F(Api, WrongMessagesAreRefused) {
  for (const char* bad :
       {R"({})", R"({"messages": []})", R"({"messages": {}})", R"({"messages": ["Hi"]})",
        R"({"messages": [{"role": "user"}]})",
        R"({"messages": [{"role": "king", "content": "x"}]})",
        R"({"messages": [{"role": "user", "content": 5}]})",
        R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})",
        R"({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]})",
        R"({"messages": [{"role": "user", "content": "x"}], "continue_final_message": true})",
        R"({"messages": [{"role": "user", "content": "x"}], "add_generation_prompt": false})",
        R"({"messages": [{"role": "user", "content": "x"}], "tools": [{}]})",
        R"({"messages": [{"role": "user", "content": "x"}], "chat_template": "{{ x }}"})",
        R"({"messages": [{"role": "user", "content": "x"}], "top_logprobs": 2})",
        R"({"messages": [{"role": "user", "content": "x"}], "max_tokens": 0})",
        R"({"messages": [{"role": "user", "content": "x"}],
           "response_format": {"type": "json"}})"}) {
    refused("/v1/chat/completions", bad);
  }
  // What changes nothing is taken.
  chat(R"({"messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "y",
      "name": "Ann"}], "max_tokens": 1, "user": "me", "presence_penalty": 0, "tools": [],
      "tool_choice": "none", "response_format": {"type": "text"}, "stop": null, "top_k": -1})");
}

TEST_F(Api, AnotherModelOrTooLongAPromptHasItsCode) {
  const Json other = refused("/v1/completions", R"({"model": "gpt", "prompt": "x"})", 404);
  EXPECT_EQ(other.at("code").as_string(), "model_not_found");
  Json body;
  body.set("prompt", std::string(5000, '9'));
  const Json tall = refused("/v1/completions", body.dump());
  EXPECT_EQ(tall.at("code").as_string(), "context_length_exceeded");
}

}  // namespace
}  // namespace assay::engine
