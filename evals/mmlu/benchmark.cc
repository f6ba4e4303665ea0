// MMLU: multiple choice with four answers in 57 subjects.
// Source: Hendrycks et al. 2021, https://github.com/hendrycks/test
#include "evals/benchmark.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/choice_letter.h"
#include "evals/extract/choice_score.h"
#include "evals/extract/number_answer.h"
#include "evals/extract/python_text.h"
#include "evals/mmlu/manifest.h"
#include "evals/mmlu/protocols.h"
#include "evals/mmlu/subjects.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

using mmlu::Layout;
using mmlu::Rules;

constexpr std::array<const char*, 4> kLetters = {"A", "B", "C", "D"};

std::string text_of(const std::string& text, bool strip) {
  return std::string(strip ? python_strip(text) : std::string_view(text));
}

/// Question and lettered choices, one a line.
std::string item_text(const Sample& sample, bool strip) {
  std::string text = text_of(sample.question, strip);
  for (std::size_t i = 0; i < sample.choices.size(); ++i) {
    text += fmt::format("\n{}. {}", choice_letter(i), sample.choices[i]);
  }
  return text;
}

std::string header(const Sample& sample, std::string_view blanks) {
  return fmt::format("The following are multiple choice questions (with answers) about{}{}.",
                     blanks, mmlu::spoken(sample.group));
}

Prompt letters_prompt(std::string text, std::string_view before) {
  Prompt prompt{.form = PromptForm::kText, .text = std::move(text), .messages = {}};
  for (const char* letter : kLetters) prompt.continuations.push_back(std::string(before) + letter);
  return prompt;
}

std::string with_answers(std::string text, const Sample& sample, std::span<const Sample> shots,
                         bool strip) {
  for (const Sample& shot : shots) {
    text += fmt::format("{}\nAnswer: {}\n\n", item_text(shot, strip), shot.target);
  }
  return text + item_text(sample, strip) + "\nAnswer:";
}

Prompt helm_text(const Sample& sample, std::span<const Sample> shots) {
  std::string text = header(sample, " ") + "\n\n";
  for (const Sample& shot : shots) {
    text += fmt::format("Question: {}\nAnswer: {}\n\n", item_text(shot, true), shot.target);
  }
  text += fmt::format("Question: {}\nAnswer:", item_text(sample, true));
  return {.form = PromptForm::kText, .text = std::move(text), .messages = {}};
}

Prompt own_steps(const Sample& sample) {
  Prompt prompt{.form = PromptForm::kBareChat, .text = "", .messages = {}};
  prompt.messages = {
      {"user", fmt::format("Here is a question about {} with four possible answers.\n\n{}\n\nThink "
                           "it through step by step. Then close with the sentence \"The best "
                           "answer is X.\", where X is A, B, C or D.",
                           mmlu::spoken(sample.group), item_text(sample, true))}};
  return prompt;
}

Prompt lm_eval_chat(const Sample& sample, std::span<const Sample> shots) {
  Prompt prompt = letters_prompt("", "");
  prompt.form = PromptForm::kChat;
  prompt.messages = {{"system", header(sample, " ")}};
  for (const Sample& shot : shots) {
    prompt.messages.push_back({"user", item_text(shot, true) + "\nAnswer:"});
    prompt.messages.push_back({"assistant", shot.target});
  }
  prompt.messages.push_back({"user", item_text(sample, true) + "\nAnswer:"});
  return prompt;
}

std::string filled(const std::string& text, const Sample& sample, bool strip) {
  const std::string question = text_of(sample.question, strip);
  const std::array fields = {
      TemplateField{"question", question},   TemplateField{"A", sample.choices[0]},
      TemplateField{"B", sample.choices[1]}, TemplateField{"C", sample.choices[2]},
      TemplateField{"D", sample.choices[3]}, TemplateField{"letter", sample.target}};
  return fill_template(text, fields);
}

Prompt turns_from_file(const Sample& sample, const PromptContext& context, const Rules& rules) {
  Prompt prompt{.form = rules.system_block ? PromptForm::kChat : PromptForm::kBareChat,
                .text = "",
                .messages = {}};
  const std::string path(rules.template_path);
  if (rules.layout == Layout::kTemplate) {
    prompt.messages = {{"user", filled(template_text(context, path), sample, rules.strip)}};
    return prompt;
  }
  const std::string& user = template_text(context, path + ".user");
  const std::string& answer = template_text(context, path + ".assistant_example");
  for (const Sample& shot : context.shots) {
    prompt.messages.push_back({"user", filled(user, shot, rules.strip)});
    prompt.messages.push_back({"assistant", filled(answer, shot, rules.strip)});
  }
  prompt.messages.push_back({"user", filled(user, sample, rules.strip)});
  prompt.assistant_prefix = template_text(context, path + ".assistant_prefix");
  return prompt;
}

std::size_t target_index(const Record& record, const std::string& letter) {
  if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'D') {
    throw_input("{}: the answer is \"{}\", not a letter from A to D", record.place(),
                escaped(letter, 40));
  }
  return static_cast<std::size_t>(letter[0] - 'A');
}

class Mmlu : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "mmlu"; }
  [[nodiscard]] std::string_view title() const override {
    return "MMLU: multiple choice in 57 subjects";
  }
  [[nodiscard]] const Manifest& manifest() const override { return mmlu_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return mmlu::protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const auto cell = [&](const char* name) { return record.fields.at(name).as_string(); };
    Sample sample{.id = fmt::format("mmlu/{}/{}/{}", record.split, record.group, record.row),
                  .group = record.group,
                  .category = std::string(mmlu::category_of(record.group)),
                  .cluster = "",
                  .question = cell("question"),
                  .choices = {},
                  .target = std::string(trim_ascii(cell("answer"))),
                  .extra = {}};
    target_index(record, sample.target);
    for (const char* letter : kLetters) sample.choices.push_back(cell(letter));
    return sample;
  }

  [[nodiscard]] std::string category(const Sample& sample,
                                     const Protocol& protocol) const override {
    return mmlu::rules_of(&protocol).lm_eval_categories
               ? std::string(mmlu::lm_eval_category_of(sample.group))
               : sample.category;
  }

  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    const Rules& rules = mmlu::rules_of(context.protocol);
    switch (rules.layout) {
      case Layout::kOwnShots:
        return letters_prompt(
            with_answers(fmt::format("Questions about {}, each with the letter of its best "
                                     "answer.\n\n",
                                     mmlu::spoken(sample.group)),
                         sample, context.shots, true),
            " ");
      case Layout::kOwnSteps:
        return own_steps(sample);
      case Layout::kOriginal:
        return letters_prompt(
            with_answers(header(sample, "  ") + "\n\n", sample, context.shots, false), " ");
      case Layout::kLmEval:
        return letters_prompt(
            with_answers(header(sample, " ") + "\n\n", sample, context.shots, true), " ");
      case Layout::kLmEvalChat:
        return lm_eval_chat(sample, context.shots);
      case Layout::kHelm:
        return helm_text(sample, context.shots);
      case Layout::kMetaShots:
      case Layout::kTemplate:
        break;
    }
    return turns_from_file(sample, context, rules);
  }

  [[nodiscard]] std::string extract(const Response& response,
                                    const ScoreContext& context) const override {
    if (!response.choices.empty()) {
      return choice_letter(most_likely_choice(response.choices).index);
    }
    if (!context.answer_after.empty()) {
      const std::size_t mark = response.text.rfind(context.answer_after);
      if (mark == std::string::npos) return "";
      return choice_own(std::string_view(response.text).substr(mark + context.answer_after.size()));
    }
    std::string answer = mmlu::rules_of(context.protocol).extract(response.text);
    return answer == kInvalidAnswer ? "" : answer;
  }

  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    if (!response.choices.empty()) return likelihood_score(response, sample.target);
    const std::string answer = extract(response, context);
    const bool whole = mmlu::rules_of(context.protocol).extract == choice_whole;
    const bool right = whole ? choice_exact_match(answer, sample.target) : answer == sample.target;
    return choice_score(right, answer, response);
  }

  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override {
    const Rules& rules = mmlu::rules_of(context.protocol);
    const bool letter = rules.layout == Layout::kMetaShots || rules.layout == Layout::kHelm;
    if (rules.layout != Layout::kOwnSteps && rules.layout != Layout::kTemplate && !letter) {
      return likelihood_gold(sample.target, kLetters.size());
    }
    std::string text = " " + sample.target;
    if (!letter) {
      text = fmt::format(
          "{} {}.", rules.extract == choice_simple_evals_mmlu ? "Answer:" : "The best answer is",
          sample.target);
    }
    return {.text = std::move(text), .choices = {}, .truncated = false};
  }
};

}  // namespace

const Benchmark& mmlu_benchmark() {
  static const Mmlu kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
