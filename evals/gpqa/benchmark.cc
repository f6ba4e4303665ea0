// GPQA: graduate-level multiple choice. The authors ask that items are not published in plain text.
// Source: Rein et al. 2023, https://github.com/idavidrein/gpqa
#include "evals/benchmark.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/choice_letter.h"
#include "evals/extract/choice_score.h"
#include "evals/extract/number_answer.h"
#include "evals/extract/python_text.h"
#include "evals/gpqa/manifest.h"
#include "evals/gpqa/order.h"
#include "evals/gpqa/protocols.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

using gpqa::Finder;
using gpqa::Order;
using gpqa::Rules;

constexpr std::array<const char*, 4> kAnswerColumns = {"Correct Answer", "Incorrect Answer 1",
                                                       "Incorrect Answer 2", "Incorrect Answer 3"};

std::int64_t published_rows(const std::string& split) {
  for (const datasets::DataFile& file : gpqa_manifest().files) {
    if (file.split == split) return file.records;
  }
  return 0;
}

/// The order of published prompts, found by text; answers that read alike are taken in turn.
std::optional<Order> published_order(const Sample& sample) {
  const Json* shown = sample.extra.find("shown_choices");
  if (shown == nullptr || shown->as_array().size() != kAnswerColumns.size()) return std::nullopt;
  Order order{};
  std::array<bool, 4> taken{};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::string_view text = python_strip(std::string_view(shown->as_array()[i].as_string()));
    std::size_t index = 0;
    while (index < 4 &&
           (taken[index] || python_strip(std::string_view(sample.choices[index])) != text)) {
      ++index;
    }
    if (index == 4) return std::nullopt;
    taken[index] = true;
    order[i] = index;
  }
  return order;
}

Order order_of(const Sample& sample, gpqa::OrderRule rule, std::int64_t repeat) {
  if (const std::optional<Order> order = published_order(sample)) return *order;
  const std::int64_t row = sample.extra.at("row").as_int();
  return gpqa::shown_order(
      rule, {.row = row,
             .rows = std::max(published_rows(sample.extra.at("split").as_string()), row + 1),
             .repeat = repeat});
}

/// What lm-eval makes of a text before it shows it.
std::string lm_eval_text(std::string_view text) {
  std::string out = replace_all(python_strip(text), " [title]", ". ");
  std::size_t open = 0;
  while ((open = out.find('[', open)) != std::string::npos) {
    const std::size_t close = out.find(']', open);
    const std::size_t line = out.find('\n', open);
    if (close == std::string::npos) break;
    if (line < close) {
      ++open;
      continue;
    }
    out.erase(open, close + 1 - open);
  }
  return replace_all(out, "  ", " ");
}

std::string own_text(const std::string& question, const std::array<std::string, 4>& shown) {
  return fmt::format(
      "Answer this question. One of the four answers is right.\n\n{}\n\nA. {}\nB. {}\nC. {}\nD. "
      "{}\n\nReason step by step. Then close with the sentence \"The best answer is X.\", where X "
      "is A, B, C or D.",
      question, shown[0], shown[1], shown[2], shown[3]);
}

std::string found_letter(Finder finder, std::string_view text) {
  switch (finder) {
    case Finder::kOwn:
    case Finder::kLikelihood:
      return choice_own(text);
    case Finder::kMetaCot:
      return choice_meta_cot(text);
    case Finder::kMetaShort:
      return choice_meta_short(text);
    case Finder::kSimpleEvals:
      return choice_simple_evals_gpqa(text);
    case Finder::kLmEvalStrict:
      return choice_lm_eval_gpqa_strict(text);
    case Finder::kHelm:
      return choice_helm(text);
    case Finder::kOpenCompass:
      break;
  }
  return choice_opencompass(text);
}

class Gpqa : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "gpqa"; }
  [[nodiscard]] std::string_view title() const override {
    return "GPQA: graduate-level multiple choice in biology, chemistry, physics";
  }
  [[nodiscard]] const Manifest& manifest() const override { return gpqa_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return gpqa::protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    const auto cell = [&](const char* name) { return record.fields.at(name).as_string(); };
    Sample sample{.id = fmt::format("gpqa/{}/{}", record.split, cell("Record ID")),
                  .group = cell("High-level domain"),
                  .question = cell("Question"),
                  .choices = {},
                  .extra = {}};
    for (const char* column : kAnswerColumns) {
      sample.choices.push_back(cell(column));
      if (python_strip(sample.choices.back()).empty()) {
        throw_input("{}: column \"{}\" is empty", record.place(), column);
      }
    }
    // The same item in another subset is the same question.
    sample.cluster = "gpqa/" + cell("Record ID");
    sample.extra.set("row", record.row);
    sample.extra.set("split", record.split);
    sample.target = letter_of(sample, gpqa::rules_of(nullptr), 0);
    return sample;
  }

  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    const Rules& rules = gpqa::rules_of(context.protocol);
    const Order order = order_of(sample, rules.order, context.repeat);
    const auto text_of = [&](const std::string& text) {
      if (rules.lm_eval_texts) return lm_eval_text(text);
      return rules.template_path.empty() ? std::string(python_strip(text)) : text;
    };
    std::array<std::string, 4> shown;
    for (std::size_t i = 0; i < shown.size(); ++i) shown[i] = text_of(sample.choices[order[i]]);
    const std::string question = text_of(sample.question);
    std::string text;
    if (rules.template_path.empty()) {
      text = own_text(question, shown);
    } else {
      text = fill_template(template_text(context, rules.template_path),
                           std::array{TemplateField{"question", question},
                                      TemplateField{"A", shown[0]}, TemplateField{"B", shown[1]},
                                      TemplateField{"C", shown[2]}, TemplateField{"D", shown[3]}});
    }
    Prompt prompt{.form = rules.plain_text  ? PromptForm::kText
                          : rules.bare_chat ? PromptForm::kBareChat
                                            : PromptForm::kChat};
    if (rules.plain_text) {
      prompt.text = std::move(text);
    } else {
      prompt.messages = {{"user", std::move(text)}};
    }
    if (rules.finder == Finder::kLikelihood)
      prompt.continuations = {" (A)", " (B)", " (C)", " (D)"};
    return prompt;
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
    std::string answer = found_letter(gpqa::rules_of(context.protocol).finder, response.text);
    return answer == kInvalidAnswer ? "" : answer;
  }

  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    const Rules& rules = gpqa::rules_of(context.protocol);
    const Order order = order_of(sample, rules.order, context.repeat);
    const std::string target = choice_letter(gpqa::correct_position(order));
    Score score;
    if (!response.choices.empty()) {
      score = likelihood_score(response, target);
    } else {
      const std::string answer = extract(response, context);
      const bool phrase = rules.finder == Finder::kLmEvalStrict && context.answer_after.empty();
      score = choice_score(phrase ? choice_exact_match(answer, target) : answer == target, answer,
                           response);
      if (phrase) add_flexible(score, sample, response, order);
    }
    Json shown{Json::Array{}};
    for (const std::size_t index : order) shown.push_back(index);
    score.detail.set("order", std::move(shown));
    // Each repeat has its own order: what is voted for is the answer, not its letter.
    const std::size_t position =
        score.answer.size() == 1 ? static_cast<std::size_t>(score.answer[0] - 'A') : order.size();
    if (position < order.size())
      score.detail.set("vote", fmt::format("answer {}", order[position]));
    score.detail.set("target", target);
    return score;
  }

  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override {
    const Rules& rules = gpqa::rules_of(context.protocol);
    const std::string target = letter_of(sample, rules, context.repeat);
    switch (rules.finder) {
      case Finder::kLikelihood:
        return likelihood_gold(target, 4);
      case Finder::kSimpleEvals:
      case Finder::kOpenCompass:
        return {.text = "Answer: " + target, .choices = {}};
      case Finder::kLmEvalStrict:
      case Finder::kHelm:
        return {.text = fmt::format("The answer is ({}).", target), .choices = {}};
      default:
        return {.text = fmt::format("The best answer is {}.", target), .choices = {}};
    }
  }

 private:
  static std::string letter_of(const Sample& sample, const Rules& rules, std::int64_t repeat) {
    return choice_letter(gpqa::correct_position(order_of(sample, rules.order, repeat)));
  }

  static void add_flexible(Score& score, const Sample& sample, const Response& response,
                           const Order& order) {
    std::vector<std::string> shown;
    for (const std::size_t index : order) shown.push_back(lm_eval_text(sample.choices[index]));
    const std::string answer = choice_lm_eval_gpqa_flexible(response.text, shown);
    const bool right = choice_exact_match(answer, choice_letter(gpqa::correct_position(order)));
    score.parts.push_back({.metric = "flexible", .value = right ? 1.0 : 0.0});
    score.detail.set("flexible", right);
  }
};

}  // namespace

const Benchmark& gpqa_benchmark() {
  static const Gpqa kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
