// GSM8K: grade-school word problems with an integer answer.
// Source: Cobbe et al. 2021, https://github.com/openai/grade-school-math
#include "evals/benchmark.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/number_answer.h"
#include "evals/gsm8k/manifest.h"
#include "evals/gsm8k/protocols.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

using gsm8k::Layout;
using gsm8k::Rules;

constexpr std::string_view kGoldMark = "#### ";

const std::string& solution_of(const Sample& sample) {
  return sample.extra.at("answer").as_string();
}

std::string own_question(std::string_view question) {
  return fmt::format(
      "Work out the answer to this problem, one step after the other.\n\n{}\n\nClose with the "
      "sentence \"The final answer is N.\", where N is the number asked for.",
      question);
}

Prompt own_prompt(const Sample& sample, bool with_examples) {
  Prompt prompt{.form = PromptForm::kBareChat,
                .text = "",
                .messages = {},
                .assistant_prefix = "",
                .continuations = {}};
  if (with_examples) {
    for (const gsm8k::Example& example : gsm8k::own_examples()) {
      prompt.messages.push_back({"user", own_question(example.question)});
      prompt.messages.push_back({"assistant", std::string(example.solution)});
    }
  }
  prompt.messages.push_back({"user", own_question(sample.question)});
  return prompt;
}

std::string lm_eval_text(const Sample& sample, std::span<const Sample> shots) {
  std::string text;
  for (const Sample& shot : shots) {
    text += fmt::format("Question: {}\nAnswer: {}\n\n", shot.question, solution_of(shot));
  }
  return text + fmt::format("Question: {}\nAnswer:", sample.question);
}

std::string helm_text(const Sample& sample, std::span<const Sample> shots) {
  std::string text;
  for (const Sample& shot : shots) {
    text +=
        fmt::format("Q: {}\nA: {} The answer is {}.\n\n", shot.question,
                    solution_of(shot).substr(0, solution_of(shot).find("\n#### ")), shot.target);
  }
  return text + fmt::format("Q: {}\nA:", sample.question);
}

/// The fixed examples of Wei et al.: the file holds them with Meta's last sentence.
std::string wei_text(const Sample& sample, const PromptContext& context) {
  std::string text;
  for (const Json& example : template_value(context, "meta.gsm8k_8shot_cot.examples").as_array()) {
    const std::string target =
        replace_all(example.at("target").as_string(), "The final answer is", "The answer is");
    text += fmt::format("Q: {}\nA: {}.\n\n", example.at("question").as_string(), target);
  }
  return text + fmt::format("Q: {}\nA:", sample.question);
}

Prompt meta_turns(const Sample& sample, const PromptContext& context, bool dotted) {
  const std::string& user = template_text(context, "meta.gsm8k_8shot_cot.user");
  const auto turn = [&](const std::string& question) {
    return fill_template(user, std::array{TemplateField{"question", question}});
  };
  Prompt prompt{.form = PromptForm::kBareChat,
                .text = "",
                .messages = {},
                .assistant_prefix = "",
                .continuations = {}};
  for (const Json& example : template_value(context, "meta.gsm8k_8shot_cot.examples").as_array()) {
    prompt.messages.push_back({"user", turn(example.at("question").as_string())});
    prompt.messages.push_back(
        {"assistant", example.at("target").as_string() + (dotted ? "." : "")});
  }
  prompt.messages.push_back({"user", turn(sample.question)});
  return prompt;
}

Prompt text_prompt(std::string text) {
  return {.form = PromptForm::kText,
          .text = std::move(text),
          .messages = {},
          .assistant_prefix = "",
          .continuations = {}};
}

ScorePart part(const char* metric, bool right) {
  return {.metric = metric, .value = right ? 1.0 : 0.0, .count = 1};
}

class Gsm8k : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "gsm8k"; }
  [[nodiscard]] std::string_view title() const override {
    return "GSM8K: grade-school word problems";
  }
  [[nodiscard]] const Manifest& manifest() const override { return gsm8k_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return gsm8k::protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const std::string& answer = record.fields.at("answer").as_string();
    const std::size_t mark = answer.rfind(kGoldMark);
    if (mark == std::string::npos) {
      throw_input("{}: \"answer\" has no line \"{}<number>\"", record.place(), kGoldMark);
    }
    Sample sample{.id = fmt::format("gsm8k/{}/{}", record.split, record.row),
                  .group = "",
                  .category = "",
                  .cluster = "",
                  .question = record.fields.at("question").as_string(),
                  .choices = {},
                  .target = std::string(trim_ascii(answer.substr(mark + kGoldMark.size()))),
                  .extra = {}};
    if (!whole_number_text(sample.target)) {
      throw_input("{}: \"{}\" after \"{}\" is not a number", record.place(),
                  escaped(sample.target, 40), kGoldMark);
    }
    sample.extra.set("answer", answer);
    return sample;
  }

  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    const Rules& rules = gsm8k::rules_of(context.protocol);
    switch (rules.layout) {
      case Layout::kOwnTurns:
        return own_prompt(sample, true);
      case Layout::kOwnQuestion:
        return own_prompt(sample, false);
      case Layout::kLmEval:
        return text_prompt(lm_eval_text(sample, context.shots));
      case Layout::kWei:
        return text_prompt(wei_text(sample, context));
      case Layout::kZeroShotSteps:
        return text_prompt(fmt::format("Q: {}\nA: Let's think step by step.", sample.question));
      case Layout::kMetaTurns: {
        Prompt prompt = meta_turns(sample, context, rules.dotted_examples);
        // lm-eval's own task goes through the model's template, system block and all.
        if (!rules.dotted_examples) prompt.form = PromptForm::kChat;
        return prompt;
      }
      case Layout::kBareQuestion:
        return text_prompt(sample.question + "\n");
      case Layout::kHelm:
        return text_prompt(helm_text(sample, context.shots));
      case Layout::kFromFile:
        break;
    }
    Prompt prompt = text_prompt("");
    prompt.form = PromptForm::kChat;
    prompt.messages = {
        {"user", fill_template(template_text(context, rules.template_path),
                               std::array{TemplateField{"question", sample.question}})}};
    return prompt;
  }

  [[nodiscard]] std::string extract(const Response& response,
                                    const ScoreContext& context) const override {
    if (!context.answer_after.empty()) {
      const std::size_t mark = response.text.rfind(context.answer_after);
      if (mark == std::string::npos) return "";
      const std::string_view after =
          std::string_view(response.text).substr(mark + context.answer_after.size());
      return first_number(after).value_or("");
    }
    const std::string answer = gsm8k::rules_of(context.protocol).strict(response.text);
    return answer == kInvalidAnswer || answer == "NULL" ? "" : answer;
  }

  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    const Rules& rules = gsm8k::rules_of(context.protocol);
    const std::string answer = extract(response, context);
    const bool marked = !context.answer_after.empty();
    const bool own = rules.strict == gsm8k::own_answer;
    const bool right = !answer.empty() && (marked ? gsm8k::number_match(answer, sample.target)
                                                  : rules.match(answer, sample.target));
    const bool strict = own && !marked
                            ? gsm8k_lm_eval_match(gsm8k_meta_strict(response.text), sample.target)
                            : right;
    const std::optional<std::string> number = last_number(response.text);
    Score score;
    score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
    score.value = right ? 1 : 0;
    score.answer = answer;
    score.reason = right            ? "equal to the target"
                   : answer.empty() ? (response.truncated ? "no answer: cut by the length limit"
                                                          : "no answer found")
                                    : "not the target";
    score.parts = {
        part("accuracy", right), part("strict", strict),
        part("flexible", gsm8k_lm_eval_match(gsm8k_lm_eval_flexible(response.text), sample.target)),
        part("number", number && gsm8k::number_match(*number, sample.target))};
    if (rules.match == gsm8k::number_match) {
      if (const auto whole = whole_number_text(answer); whole && *whole != answer) {
        score.detail.set("vote", *whole);
      }
    }
    score.detail.set("strict", strict);
    score.detail.set("flexible", score.parts[2].value > 0);
    score.detail.set("number", score.parts[3].value > 0);
    return score;
  }

  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override {
    const Layout layout = gsm8k::rules_of(context.protocol).layout;
    std::string text = fmt::format("The final answer is {}.", sample.target);
    if (!context.answer_after.empty())
      text = context.answer_after + " " + sample.target;
    else if (layout == Layout::kLmEval || layout == Layout::kBareQuestion)
      text = solution_of(sample);
    else if (layout == Layout::kWei || layout == Layout::kZeroShotSteps)
      text = fmt::format("The answer is {}.", sample.target);
    else if (layout == Layout::kFromFile)
      text = replace_all(sample.target, ",", "");
    return {.text = std::move(text), .choices = {}, .truncated = false};
  }
};

}  // namespace

const Benchmark& gsm8k_benchmark() {
  static const Gsm8k kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
