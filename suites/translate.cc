#include "suites/translate.h"

#include "base/check.h"

namespace assay::suites {

engine::SamplingParams sampling_params(const evals::Protocol& protocol,
                                       const SamplingOverride& overrides, std::uint64_t seed) {
  engine::SamplingParams out;
  out.temperature = overrides.temperature.value_or(protocol.sampling.temperature);
  out.top_p = overrides.top_p.value_or(protocol.sampling.top_p);
  out.top_k = overrides.top_k.value_or(0);
  out.max_tokens = overrides.max_tokens.value_or(protocol.sampling.max_tokens);
  out.stop = protocol.sampling.stop;
  out.seed = seed;
  return out;
}

engine::Request to_request(const evals::Prompt& prompt, const engine::SamplingParams& sampling,
                           std::string id, std::int64_t repeat) {
  using Form = engine::PromptInput::Form;
  engine::Request request;
  request.id = std::move(id);
  request.repeat = repeat;
  request.sampling = sampling;
  request.sampling.stop.insert(request.sampling.stop.end(), prompt.stop.begin(), prompt.stop.end());
  request.continuations = prompt.continuations;
  engine::PromptInput& input = request.prompt;
  input.assistant_prefix = prompt.assistant_prefix;
  switch (prompt.form) {
    case evals::PromptForm::kText:
      input.form = Form::kText;
      input.text = prompt.text;
      break;
    case evals::PromptForm::kRendered:
      input.form = Form::kRendered;
      input.text = prompt.text;
      break;
    case evals::PromptForm::kChat:
    case evals::PromptForm::kBareChat:
      input.form = Form::kChat;
      input.system_block = prompt.form == evals::PromptForm::kChat;
      for (const evals::Message& message : prompt.messages) {
        input.messages.push_back({.role = message.role, .content = message.content});
      }
      break;
  }
  return request;
}

evals::Response to_response(const engine::Completion& completion) {
  ASSAY_CHECK(completion.finish_reason != engine::FinishReason::kError,
              "a failed completion has no response");
  evals::Response response;
  response.text = completion.text;
  response.truncated = completion.finish_reason == engine::FinishReason::kLength;
  for (const engine::ContinuationScore& score : completion.continuations) {
    response.choices.push_back({.logprob = score.logprob,
                                .tokens = static_cast<int>(score.ids.size()),
                                .greedy = score.greedy});
  }
  return response;
}

std::string prompt_text(const evals::Prompt& prompt) {
  if (prompt.messages.empty()) return prompt.text + prompt.assistant_prefix;
  Json messages{Json::Array{}};
  for (const evals::Message& message : prompt.messages) {
    Json object;
    object.set("role", message.role);
    object.set("content", message.content);
    messages.push_back(std::move(object));
  }
  if (!prompt.assistant_prefix.empty()) {
    Json object;
    object.set("role", "assistant");
    object.set("prefix", prompt.assistant_prefix);
    messages.push_back(std::move(object));
  }
  return messages.dump();
}

}  // namespace assay::suites
