// HumanEval: Python functions from their docstrings, judged by running their tests.
// Source: Chen et al. 2021, https://github.com/openai/human-eval
#include "evals/benchmark.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/python_text.h"
#include "evals/humaneval/manifest.h"
#include "evals/humaneval/protocols.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

using humaneval::Code;
using humaneval::Layout;
using humaneval::Problem;
using humaneval::Rules;

Code program_of(std::string_view text, const Problem& problem, const Protocol* protocol) {
  return humaneval::rules_of(protocol).program(text, problem);
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

Prompt text_prompt(std::string text) {
  Prompt prompt;
  prompt.form = PromptForm::kText;
  prompt.text = std::move(text);
  return prompt;
}

Prompt turn_from_file(const Sample& sample, const PromptContext& context, const Rules& rules) {
  const std::string path(rules.template_path);
  const std::array fields = {TemplateField{"prompt", sample.question}};
  const std::string user = fill_template(template_text(context, path + ".user"), fields);
  std::string prefix;
  if (rules.layout != Layout::kTurn) {
    prefix = fill_template(template_text(context, path + ".assistant_prefix"), fields);
  }
  if (rules.layout == Layout::kPlainTurn) return text_prompt(user + "\n" + prefix + "\n");
  Prompt prompt;
  prompt.form = rules.bare_chat ? PromptForm::kBareChat : PromptForm::kChat;
  prompt.messages = {{"user", user}};
  prompt.assistant_prefix = rules.strip_prefix ? std::string(python_rstrip(prefix)) : prefix;
  return prompt;
}

/// Without the blank lines at the start.
std::string from_first_line(const std::string& code) {
  const std::size_t first = code.find_first_not_of(" \t\n");
  const std::size_t line = first == std::string::npos ? 0 : code.rfind('\n', first) + 1;
  return code.substr(line);
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
  [[nodiscard]] std::span<const Protocol> protocols() const override {
    return humaneval::protocols();
  }

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
    const Rules& rules = humaneval::rules_of(context.protocol);
    if (rules.layout == Layout::kOwn) {
      Prompt prompt;
      prompt.form = PromptForm::kBareChat;
      prompt.messages = {{"user", own_request(sample)}};
      return prompt;
    }
    if (rules.layout == Layout::kPrompt) {
      return text_prompt(std::string(rules.strip_prompt ? python_strip(sample.question)
                                                        : std::string_view(sample.question)));
    }
    return turn_from_file(sample, context, rules);
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
    const std::string_view name =
        context.protocol == nullptr ? std::string_view("assay") : context.protocol->name;
    const std::string whole = sample.question + sample.target;
    Response response;
    response.text = sample.target;
    const bool fenced = name == "assay" || name == "opencompass" || name == "opencompass-v3";
    if (fenced || name == "evalplus") response.text = "```python\n" + whole + "\n```\n";
    // Its rule drops the first line that begins a function.
    if (name == "opencompass-internal-v1")
      response.text = "def f():\n" + from_first_line(sample.target);
    // Its rule drops everything up to the first colon and line feed before four spaces.
    if (name == "simple-evals") response.text = "x:\n" + from_first_line(sample.target);
    return response;
  }
};

}  // namespace

const Benchmark& humaneval_benchmark() {
  static const HumanEval kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
