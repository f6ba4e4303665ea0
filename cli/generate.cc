// assay generate: one completion, or the likelihood of a continuation, for people and for tests.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/processes.h"

namespace assay::cli {
namespace {

struct GenerateArguments {
  engine::EngineOptions engine;
  std::string prompt;
  std::vector<engine::TokenId> ids;
  std::string score;
  bool has_score = false;
  bool chat = false;
  bool json = false;
  engine::SamplingParams sampling;
  int logprobs = -1;
  std::string launcher = "auto";
};

engine::Request make_request(const GenerateArguments& a) {
  engine::Request request;
  request.id = "generate";
  request.sampling = a.sampling;
  request.sampling.seed = a.engine.seed;
  request.logprobs = a.logprobs;
  if (!a.ids.empty()) {
    request.prompt.form = engine::PromptInput::Form::kIds;
    request.prompt.ids = a.ids;
  } else if (a.chat) {
    request.prompt.form = engine::PromptInput::Form::kChat;
    request.prompt.messages = {{.role = "user", .content = a.prompt}};
  } else {
    request.prompt.text = a.prompt;
  }
  if (a.has_score) request.continuations = {a.score};
  return request;
}

Json ids_json(const std::vector<engine::TokenId>& ids) {
  Json out{Json::Array{}};
  for (const engine::TokenId id : ids) out.push_back(static_cast<std::int64_t>(id));
  return out;
}

Json logprob_json(const engine::TokenLogprob& token) {
  Json top{Json::Array{}};
  for (const auto& [id, logprob] : token.top) {
    top.push_back(Json::Array{static_cast<std::int64_t>(id), static_cast<double>(logprob)});
  }
  Json out;
  out.set("id", static_cast<std::int64_t>(token.id));
  out.set("logprob", static_cast<double>(token.logprob));
  out.set("top", std::move(top));
  return out;
}

Json completion_json(const engine::Completion& completion) {
  Json out;
  out.set("prompt_ids", ids_json(completion.prompt_ids));
  if (!completion.continuations.empty()) {
    const engine::ContinuationScore& score = completion.continuations.front();
    out.set("logprob", score.logprob);
    out.set("tokens", score.ids.size());
    out.set("greedy", score.greedy);
    out.set("ids", ids_json(score.ids));
    return out;
  }
  out.set("ids", ids_json(completion.ids));
  out.set("text", completion.text);
  out.set("finish_reason", engine::finish_reason_name(completion.finish_reason));
  Json logprobs{Json::Array{}};
  for (const engine::TokenLogprob& token : completion.logprobs) {
    logprobs.push_back(logprob_json(token));
  }
  out.set("logprobs", std::move(logprobs));
  Json times;
  times.set("scheduled", completion.times.scheduled_ns);
  times.set("sent", completion.times.sent_ns);
  times.set("first", completion.times.first_ns);
  times.set("last", completion.times.last_ns);
  out.set("times_ns", std::move(times));
  return out;
}

ExitCode generate(const GenerateArguments& a, engine::ProcessGroup* processes) {
  if (a.prompt.empty() && a.ids.empty()) throw_input("generate: give --prompt or --ids");
  engine::EngineOptions options = a.engine;
  options.processes = processes;
  options.tp = ranks_of(processes, options.tp);
  const auto model = engine::make_generator(options);
  const std::vector<engine::Request> requests = {make_request(a)};
  engine::Completion completion;
  model->run(requests, [&](std::size_t, engine::Completion done) {
    completion = std::move(done);
    return true;
  });
  if (completion.finish_reason == engine::FinishReason::kError) {
    throw_input("{}: {}", a.engine.model, completion.error);
  }
  if (a.json) {
    fmt::print("{}\n", completion_json(completion).dump());
  } else if (!completion.continuations.empty()) {
    const engine::ContinuationScore& score = completion.continuations.front();
    fmt::print("log-likelihood {:.6f} over {} tokens{}\n", score.logprob, score.ids.size(),
               score.greedy ? ", greedy" : "");
  } else {
    fmt::print("{}\n", escaped(completion.text, completion.text.size() + 1));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_generate(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("generate", "One completion of a prompt");
  auto a = std::make_shared<GenerateArguments>();
  add_engine_options(*command, a->engine);
  command->add_option("--prompt", a->prompt, "Text of the prompt");
  command->add_option("--ids", a->ids, "Prompt as token ids, taken as they are: --ids 1,2,3")
      ->delimiter(',');
  command->add_flag("--chat", a->chat, "The prompt is a user's message in the model's chat format");
  CLI::Option* score =
      command->add_option("--score", a->score, "Log-likelihood of this continuation instead");
  command->add_option("--max-tokens", a->sampling.max_tokens, "At most so many tokens")
      ->check(CLI::PositiveNumber);
  command->add_option("--temperature", a->sampling.temperature, "0: the most likely token")
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--top-k", a->sampling.top_k)->check(CLI::NonNegativeNumber);
  command->add_option("--top-p", a->sampling.top_p)->check(CLI::Range(0.0, 1.0));
  command->add_option("--min-p", a->sampling.min_p)->check(CLI::Range(0.0, 1.0));
  command->add_option("--stop", a->sampling.stop, "Stop before this text; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--logprobs", a->logprobs, "Log-probabilities of the N best of each token")
      ->check(CLI::Range(0, 1 << 20));
  add_launcher_option(*command, a->launcher);
  command->add_flag("--json", a->json, "One JSON document");
  command->callback([&chosen, a, score] {
    a->has_score = score->count() > 0;
    chosen.action = [a] {
      const auto lead = [&](engine::ProcessGroup* group) { return generate(*a, group); };
      return with_processes(a->launcher, a->engine.threads, lead);
    };
  });
}

}  // namespace assay::cli
