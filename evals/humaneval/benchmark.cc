// HumanEval: Python functions from their docstrings, judged by running their tests.
// Source: Chen et al. 2021, https://github.com/openai/human-eval
#include "evals/benchmark.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "evals/humaneval/code.h"
#include "evals/humaneval/manifest.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

using humaneval::Code;
using humaneval::Problem;

std::vector<MetricSpec> pass_metrics(std::initializer_list<int> ks) {
  std::vector<MetricSpec> metrics;
  for (const int k : ks) {
    metrics.push_back({.name = fmt::format("pass@{}", k),
                       .kind = MetricKind::kPassAtK,
                       .part = "pass",
                       .k = k,
                       .of = {}});
  }
  return metrics;
}

const std::vector<std::string> kCompletionStops = {"\nclass", "\ndef", "\n#", "\nif", "\nprint"};

Protocol make(std::string name, std::string title, bool needs_templates,
              std::vector<std::string> stop = {}) {
  Protocol protocol;
  protocol.name = std::move(name);
  protocol.title = std::move(title);
  protocol.needs_templates = needs_templates;
  protocol.sampling = {.max_tokens = 1024, .stop = std::move(stop)};
  protocol.metrics = pass_metrics({1, 2, 5, 10, 100});
  return protocol;
}

const std::vector<Protocol>& all_protocols() {
  static const std::vector<Protocol> kProtocols = {
      make("assay", "our own words as a chat turn; code from the answer's fence", false),
      make("completion", "the bare prompt for base models, the original's stop strings", false,
           kCompletionStops),
      make("meta", "Meta's wording, the prompt repeated in the assistant's opened fence", true,
           {"```"}),
      make("simple-evals", "simple-evals' sentence; its own way to the body", true),
      make("lm-eval-instruct", "lm-eval humaneval_instruct: Meta's wording, cut at a fence", true,
           kCompletionStops),
  };
  return kProtocols;
}

std::string_view protocol_name(const Protocol* protocol) {
  return protocol == nullptr ? std::string_view("assay") : std::string_view(protocol->name);
}

Code program_of(std::string_view text, const Problem& problem, const Protocol* protocol) {
  const std::string_view name = protocol_name(protocol);
  if (name == "completion") return humaneval::raw_program(text, problem, kCompletionStops);
  if (name == "simple-evals") return humaneval::simple_evals_program(text, problem);
  if (name == "lm-eval-instruct") return humaneval::until_fence_program(text, problem);
  return humaneval::own_program(text, problem);
}

Problem problem_of(const Sample& sample) {
  return {.prompt = sample.question, .entry_point = sample.extra.at("entry_point").as_string()};
}

std::string own_request(const Sample& sample) {
  return fmt::format(
      "Complete this Python function so that it does what its docstring says. Answer with the "
      "whole function, and any imports and helpers it needs, in one code block.\n\n"
      "```python\n{}\n```",
      trim_ascii(sample.question));
}

std::string reason_of(const SandboxResult& result) {
  switch (result.outcome) {
    case SandboxOutcome::kPassed:
      return "all tests pass";
    case SandboxOutcome::kFailed:
      return "exception: " + result.detail;
    case SandboxOutcome::kWrongAnswer:
      return "wrong answer" + (result.detail.empty() ? "" : ": " + result.detail);
    case SandboxOutcome::kTimedOut:
      return "timed out: " + result.detail;
    case SandboxOutcome::kOutOfMemory:
      return "out of memory: " + result.detail;
    case SandboxOutcome::kKilled:
      return "killed: " + result.detail;
    case SandboxOutcome::kRefusedCall:
      return "refused call: " + result.detail;
    case SandboxOutcome::kFault:
      return "sandbox fault: " + result.detail;
  }
  return "unknown outcome";
}

class HumanEval : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "humaneval"; }
  [[nodiscard]] std::string_view title() const override {
    return "HumanEval: Python functions from docstrings";
  }
  [[nodiscard]] const Manifest& manifest() const override { return humaneval_manifest(); }
  [[nodiscard]] bool runs_code() const override { return true; }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return all_protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    Sample sample;
    sample.id = record.fields.at("task_id").as_string();
    sample.question = record.fields.at("prompt").as_string();
    for (const char* field : {"entry_point", "test", "canonical_solution"}) {
      sample.extra.set(field, record.fields.at(field).as_string());
    }
    sample.target = sample.extra.at("canonical_solution").as_string();
    if (sample.extra.at("entry_point").as_string().empty()) {
      throw_input("{}: \"entry_point\" is empty", record.place());
    }
    return sample;
  }

  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    const std::string_view name = protocol_name(context.protocol);
    Prompt prompt;
    if (name == "completion") {
      prompt.form = PromptForm::kText;
      prompt.text = sample.question;
      return prompt;
    }
    prompt.form = PromptForm::kBareChat;
    if (name == "assay") {
      prompt.messages = {{"user", own_request(sample)}};
      return prompt;
    }
    const std::array fields = {TemplateField{"prompt", sample.question}};
    if (name == "simple-evals") {
      prompt.form = PromptForm::kChat;
      prompt.messages = {
          {"user", fill_template(template_text(context, "simple_evals.humaneval.user"), fields)}};
      return prompt;
    }
    prompt.messages = {
        {"user", fill_template(template_text(context, "meta.humaneval.user"), fields)}};
    prompt.assistant_prefix =
        fill_template(template_text(context, "meta.humaneval.assistant_prefix"), fields);
    if (name == "lm-eval-instruct") prompt.form = PromptForm::kChat;
    return prompt;
  }

  [[nodiscard]] std::string extract(const Response& response,
                                    const ScoreContext& context) const override {
    // Without its sample an answer's function has no name: the code alone.
    return program_of(response.text, {.prompt = "", .entry_point = ""}, context.protocol).program;
  }

  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    const Code code = program_of(response.text, problem_of(sample), context.protocol);
    Score score;
    score.answer = code.program;
    score.detail.set("rule", code.rule);
    if (context.sandbox == nullptr) {
      score.verdict = Verdict::kUnscored;
      score.reason = "code is run only in a sandbox, and there is none";
      return score;
    }
    const SandboxResult result =
        context.sandbox->run({.source = code.program,
                              .reference = sample.question,
                              .test = sample.extra.at("test").as_string(),
                              .entry_point = sample.extra.at("entry_point").as_string()});
    score.reason = reason_of(result);
    score.detail.set("cpu_seconds", result.cpu_seconds);
    score.detail.set("wall_seconds", result.wall_seconds);
    if (result.outcome == SandboxOutcome::kFault) {
      score.verdict = Verdict::kUnscored;
      return score;
    }
    const bool passed = result.outcome == SandboxOutcome::kPassed;
    score.verdict = passed ? Verdict::kCorrect : Verdict::kIncorrect;
    score.value = passed ? 1 : 0;
    score.parts = {{.metric = "pass", .value = score.value, .count = 1}};
    return score;
  }

  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override {
    const std::string_view name = protocol_name(context.protocol);
    const std::string whole = sample.question + sample.target;
    Response response;
    response.text = sample.target;
    if (name == "assay") response.text = "```python\n" + whole + "\n```\n";
    // Its rule drops everything up to the first colon and line feed before four spaces.
    if (name == "simple-evals") response.text = "x:\n" + sample.target;
    return response;
  }
};

}  // namespace

const Benchmark& humaneval_benchmark() {
  static const HumanEval kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
