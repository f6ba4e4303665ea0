#include "tests/support/scripted_model.h"

#include "base/json.h"

namespace assay::test {

std::string scripted_answer(const std::string& prompt) { return "answer to " + prompt; }

std::string prompt_of(const ScriptedRequest& request) {
  const Json body = parse_json(request.body, "request");
  if (const Json* prompt = body.find("prompt")) return prompt->as_string();
  return body.at("messages").as_array().back().at("content").as_string();
}

bool serve_models(ScriptedExchange& exchange, const std::string& owner) {
  if (exchange.request().target != "/v1/models") return false;
  exchange.reply(200, R"({"object": "list", "data": [{"id": "scripted", "object": "model",
    "created": 1, "owned_by": ")" +
                          owner + R"("}]})");
  return true;
}

std::string chunk_json(const std::string& text, const std::string& finish_reason) {
  Json choice;
  choice.set("index", 0);
  choice.set("text", text);
  choice.set("finish_reason", finish_reason.empty() ? Json() : Json(finish_reason));
  Json out;
  out.set("model", "scripted");
  out.set("system_fingerprint", "fp_1");
  out.set("choices", Json::Array{choice});
  return out.dump();
}

void serve_scripted_model(ScriptedExchange& exchange) {
  if (serve_models(exchange)) return;
  const Json body = parse_json(exchange.request().body, "request");
  if (body.find("logprobs") != nullptr) {
    exchange.reply(400,
                   R"({"error": {"message": "no logprobs", "type": "invalid_request_error"}})");
    return;
  }
  const std::string text = scripted_answer(prompt_of(exchange.request()));
  if (body.find("stream") == nullptr) {
    exchange.reply(200, chunk_json(text, "stop"));
    return;
  }
  exchange.begin_stream();
  for (std::size_t at = 0; at < text.size(); at += 5)
    exchange.event(chunk_json(text.substr(at, 5)));
  exchange.event(chunk_json("", "stop"));
  exchange.end_stream();
}

}  // namespace assay::test
