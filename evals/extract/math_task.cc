#include "evals/extract/math_task.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/boxed.h"
#include "evals/extract/math_equal.h"
#include "evals/extract/math_extraction.h"
#include "evals/extract/math_normal_forms.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

std::string protocol_name(const Protocol* protocol) {
  return protocol == nullptr ? "assay" : protocol->name;
}

Protocol protocol(std::string name, std::string title, bool templates, SamplingDefaults sampling) {
  const MetricSpec accuracy{.name = "accuracy", .part = "accuracy"};
  const MetricSpec macro{.name = "macro_accuracy", .kind = MetricKind::kMacro, .part = "accuracy"};
  Protocol out;
  out.name = std::move(name);
  out.title = std::move(title);
  out.needs_templates = templates;
  out.sampling = std::move(sampling);
  out.metrics = {accuracy, macro};
  return out;
}

Prompt user_turn(PromptForm form, std::string text) {
  Prompt prompt;
  prompt.form = form;
  prompt.messages = {{"user", std::move(text)}};
  return prompt;
}

/// Solved examples from the prompt file, then the problem.
std::string minerva_text(const Sample& sample, const PromptContext& context) {
  std::string text;
  for (const Json& shot : template_value(context, "minerva.math_4shot.examples").as_array()) {
    text += fmt::format("Problem:\n{}\n\nSolution: {}\n\n", shot.at("problem").as_string(),
                        shot.at("solution").as_string());
  }
  return text + fmt::format("Problem:\n{}\n\nSolution:", sample.question);
}

std::string from_file(const Sample& sample, const PromptContext& context, std::string_view path) {
  return fill_template(template_text(context, path),
                       std::array{TemplateField{"problem", sample.question}});
}

bool same_answer(const std::string& name, const std::string& gold, const std::string& answer) {
  if (name == "lm-eval-hendrycks") {
    return hendrycks_equal(gold, answer, HendrycksFlavour::kLmEval);
  }
  if (name == "meta" && minerva_normal_form(gold) == minerva_normal_form(answer)) return true;
  if (name == "minerva" || name == "meta") {
    // The references ask a computer algebra system here; ours proves less and never times out.
    return math_equal(minerva_normal_form(gold), minerva_normal_form(answer));
  }
  return math_equal(gold, answer);
}

}  // namespace

std::span<const Protocol> math_protocols() {
  static const std::array<Protocol, 5> kProtocols = {
      protocol("assay", "one question, reasoning first, last box, own grader", false,
               {.max_tokens = 5120}),
      protocol("meta", "Meta's wording, last box, Minerva normal form or equality", true,
               {.max_tokens = 5120}),
      protocol("minerva", "four fixed examples, final sentence, symbolic comparison", true,
               {.max_tokens = 256, .stop = {"Problem:"}}),
      protocol("lm-eval-hendrycks", "no examples, text between dollar signs, Hendrycks", false,
               {.max_tokens = 256, .stop = {"Problem:"}}),
      protocol("simple-evals", "line \"Answer:\"; own grader in place of a model as judge", true,
               {.max_tokens = 2048}),
  };
  return kProtocols;
}

Prompt math_prompt(const Sample& sample, const PromptContext& context) {
  const std::string name = protocol_name(context.protocol);
  if (name == "meta") {
    return user_turn(PromptForm::kBareChat, from_file(sample, context, "meta.math_0shot_cot.user"));
  }
  if (name == "simple-evals") {
    return user_turn(PromptForm::kChat, from_file(sample, context, "simple_evals.math.user"));
  }
  if (name == "minerva" || name == "lm-eval-hendrycks") {
    Prompt prompt;
    prompt.form = PromptForm::kText;
    prompt.text = name == "minerva" ? minerva_text(sample, context)
                                    : fmt::format("Problem: {}\nAnswer:", sample.question);
    return prompt;
  }
  return user_turn(
      PromptForm::kBareChat,
      fmt::format("{}\n\nReason step by step. Finish with one line that holds the result alone, "
                  "exact and simplified, in a box: \\boxed{{result}}",
                  sample.question));
}

std::string math_extract(const Response& response, const ScoreContext& context) {
  const std::string name = protocol_name(context.protocol);
  std::string_view text = response.text;
  if (!context.answer_after.empty()) {
    const std::size_t mark = text.rfind(context.answer_after);
    if (mark == std::string_view::npos) return "";
    return std::string(trim_ascii(text.substr(mark + context.answer_after.size())));
  }
  if (name == "meta") return boxed_upstream(text).value_or("");
  if (name == "lm-eval-hendrycks") return between_dollars(text);
  if (name == "simple-evals") return answer_line(text).value_or("");
  if (name == "minerva") {
    std::string answer = minerva_final_answer(text);
    return answer == "[invalidanswer]" ? "" : answer;
  }
  const std::optional<BoxedAnswer> box = boxed_lenient(text);
  return box ? box->content : "";
}

Score math_score(const Sample& sample, const Response& response, const ScoreContext& context) {
  const std::string answer = math_extract(response, context);
  const bool right =
      !answer.empty() && same_answer(protocol_name(context.protocol), sample.target, answer);
  Score score;
  score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
  score.value = right ? 1 : 0;
  score.answer = answer;
  score.reason = right                ? "equal to the target"
                 : !answer.empty()    ? "not equal to the target"
                 : response.truncated ? "no answer: cut by the length limit"
                                      : "no answer found";
  score.parts = {{.metric = "accuracy", .value = score.value, .count = 1}};
  if (protocol_name(context.protocol) == "assay" && context.answer_after.empty()) {
    const std::optional<BoxedAnswer> box = boxed_lenient(response.text);
    if (box && !box->leniency.empty()) score.detail.set("lenient_extraction", box->leniency);
  }
  return score;
}

Response math_gold_response(const Sample& sample, const ScoreContext& context) {
  const std::string name = protocol_name(context.protocol);
  std::string text = fmt::format("$\\boxed{{{}}}$", sample.target);
  if (!context.answer_after.empty()) text = context.answer_after + sample.target;
  if (name == "lm-eval-hendrycks") text = sample.target;
  if (name == "simple-evals") text = "Answer: " + sample.target;
  if (name == "minerva") {
    text =
        fmt::format("Final Answer: The final answer is ${}$. I hope it is correct.", sample.target);
  }
  return {.text = std::move(text), .choices = {}, .truncated = false};
}

Sample math_sample(const Record& record, std::string id, std::string subject, std::string level,
                   std::string target) {
  const std::string& solution = record.fields.at("solution").as_string();
  if (target.empty()) {
    std::optional<std::string> box = boxed_upstream(solution);
    if (!box) {
      if (const std::optional<BoxedAnswer> lenient = boxed_lenient(solution))
        box = lenient->content;
    }
    if (!box) throw_input("{}: \"solution\" has no boxed answer", record.place());
    target = *box;
  }
  Sample sample;
  sample.id = std::move(id);
  sample.group = std::move(subject);
  sample.category = std::move(level);
  sample.question = record.fields.at("problem").as_string();
  sample.target = std::move(target);
  sample.extra.set("solution", solution);
  return sample;
}

}  // namespace assay::evals
