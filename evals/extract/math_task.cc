#include "evals/extract/math_task.h"

#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/boxed.h"
#include "evals/extract/math_equal.h"
#include "evals/extract/math_extraction.h"
#include "evals/extract/math_key.h"
#include "evals/extract/math_normal_forms.h"
#include "evals/protocol_table.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

enum class Layout {
  kOwn,            // our own words, one turn
  kTemplate,       // one user turn from a prompt file
  kProblem,        // lm-eval: "Problem:" / "Answer:", no examples
  kSolutions,      // lm-eval: "Problem:" / "Solution:", solved examples of a prompt file
  kSolutionTurns,  // the same, examples as turns
  kHelm,           // HELM: instructions and solved examples of a prompt file, "###" between them
};

struct Rules {
  Layout layout = Layout::kOwn;
  std::optional<std::string> (*find)(std::string_view response) = nullptr;
  bool (*equal)(std::string_view gold, std::string_view answer) = nullptr;
  std::string_view gold;           // a response with the gold answer in place of "@"
  std::string_view template_path;  // kTemplate: of the text; else of an object with `examples`
  bool bare_chat = true;           // false: the model's template with its system block
};

std::optional<std::string> own_box(std::string_view response) {
  const std::optional<BoxedAnswer> box = boxed_lenient(response);
  return box ? std::optional(box->content) : std::nullopt;
}

std::optional<std::string> minerva_answer(std::string_view response) {
  std::string answer = minerva_final_answer(response);
  return answer == "[invalidanswer]" ? std::nullopt : std::optional(std::move(answer));
}

std::optional<std::string> dollars(std::string_view response) { return between_dollars(response); }

bool own_equal(std::string_view gold, std::string_view answer) { return math_equal(gold, answer); }

// The references ask a computer algebra system here; ours proves less and never times out.
bool minerva_equal(std::string_view gold, std::string_view answer) {
  return math_equal(minerva_normal_form(gold), minerva_normal_form(answer));
}

bool meta_equal(std::string_view gold, std::string_view answer) {
  return minerva_normal_form(gold) == minerva_normal_form(answer) || minerva_equal(gold, answer);
}

bool hendrycks_original(std::string_view gold, std::string_view answer) {
  return hendrycks_equal(gold, answer);
}

bool hendrycks_lm_eval(std::string_view gold, std::string_view answer) {
  return hendrycks_equal(gold, answer, HendrycksFlavour::kLmEval);
}

using Entry = ProtocolEntry<Rules>;

Protocol make(std::string name, std::string title, SamplingDefaults sampling) {
  return {
      .name = std::move(name),
      .title = std::move(title),
      .shots = {},
      .sampling = std::move(sampling),
      .metrics = {mean_metric("accuracy", "accuracy"), macro_metric("macro_accuracy", "accuracy")}};
}

constexpr std::string_view kBox = "$\\boxed{@}$";
constexpr std::string_view kFinalSentence =
    "Final Answer: The final answer is $@$. I hope it is correct.";
constexpr std::string_view kMinervaPath = "minerva.math_4shot";

std::vector<Entry> grader_entries() {
  return {
      {make("assay", "one question, reasoning first, last box, own grader", limits(5120)),
       {.layout = Layout::kOwn, .find = own_box, .equal = own_equal, .gold = kBox}},
      {with_file(
           make("meta", "Meta's wording, last box, Minerva normal form or equality", limits(5120))),
       {.layout = Layout::kTemplate,
        .find = boxed_upstream,
        .equal = meta_equal,
        .gold = kBox,
        .template_path = "meta.math_0shot_cot.user"}},
      {with_file(make("simple-evals", "line \"Answer:\"; own grader in place of a model as judge",
                      limits(2048))),
       {.layout = Layout::kTemplate,
        .find = answer_line,
        .equal = own_equal,
        .gold = "Answer: @",
        .template_path = "simple_evals.math.user",
        .bare_chat = false}},
      {with_file(make("lighteval",
                      "asks for a box; extraction by Math-Verify's priorities, own "
                      "grader in place of its comparison",
                      limits(2048))),
       {.layout = Layout::kTemplate,
        .find = math_verify_answer,
        .equal = own_equal,
        .gold = kBox,
        .template_path = "lighteval.math.user",
        .bare_chat = false}},
  };
}

std::vector<Entry> sentence_entries() {
  return {
      {with_file(make("minerva", "four fixed examples, final sentence, symbolic comparison",
                      limits(256, {"Problem:"}))),
       {.layout = Layout::kSolutions,
        .find = minerva_answer,
        .equal = minerva_equal,
        .gold = kFinalSentence,
        .template_path = kMinervaPath}},
      {with_file(make("minerva-chat", "the same with the examples as turns, model's template",
                      limits(256, {"Problem:"}))),
       {.layout = Layout::kSolutionTurns,
        .find = minerva_answer,
        .equal = minerva_equal,
        .gold = kFinalSentence,
        .template_path = kMinervaPath,
        .bare_chat = false}},
      {make("lm-eval-hendrycks", "no examples, text between dollar signs, Hendrycks",
            limits(256, {"Problem:"})),
       {.layout = Layout::kProblem, .find = dollars, .equal = hendrycks_lm_eval, .gold = "@"}},
      {with_file(make("helm", "eight examples, last box, Hendrycks", limits(400, {"###"}))),
       {.layout = Layout::kHelm,
        .find = boxed_upstream,
        .equal = hendrycks_original,
        .gold = kBox,
        .template_path = "helm.math_8shot"}},
  };
}

const ProtocolTable<Rules>& table() {
  static const ProtocolTable<Rules> kTable(joined(grader_entries(), sentence_entries()));
  return kTable;
}

struct Example {
  std::string problem;
  std::string solution;
};

std::vector<Example> examples(const PromptContext& context, const Rules& rules) {
  std::vector<Example> out;
  const std::string path = std::string(rules.template_path) + ".examples";
  for (const Json& shot : template_value(context, path).as_array()) {
    out.push_back({shot.at("problem").as_string(), shot.at("solution").as_string()});
  }
  return out;
}

std::string solutions_text(const Sample& sample, const std::vector<Example>& shots) {
  std::string text;
  for (const Example& shot : shots) {
    text += fmt::format("Problem:\n{}\n\nSolution: {}\n\n", shot.problem, shot.solution);
  }
  return text + fmt::format("Problem:\n{}\n\nSolution:", sample.question);
}

std::vector<Message> solution_turns(const Sample& sample, const std::vector<Example>& shots) {
  std::vector<Message> turns;
  for (const Example& shot : shots) {
    turns.push_back({"user", fmt::format("Problem:\n{}\n\nSolution:", shot.problem)});
    turns.push_back({"assistant", shot.solution});
  }
  turns.push_back({"user", fmt::format("Problem:\n{}\n\nSolution:", sample.question)});
  return turns;
}

std::string helm_text(const Sample& sample, const PromptContext& context, const Rules& rules) {
  std::string text =
      template_text(context, std::string(rules.template_path) + ".instructions") + "\n";
  for (const Example& shot : examples(context, rules)) {
    text += fmt::format("###\nProblem: {}\nAnswer: {}\n", shot.problem, shot.solution);
  }
  return text + fmt::format("###\nProblem: {}\nAnswer:", sample.question);
}

std::string own_request(const Sample& sample) {
  return fmt::format(
      "{}\n\nReason step by step. Finish with one line that holds the result alone, "
      "exact and simplified, in a box: \\boxed{{result}}",
      sample.question);
}

}  // namespace

std::span<const Protocol> MathBenchmark::protocols() const { return table().protocols(); }

Prompt MathBenchmark::to_prompt(const Sample& sample, const PromptContext& context) const {
  const Rules& rules = table().of(context.protocol);
  Prompt prompt;
  prompt.form = rules.bare_chat ? PromptForm::kBareChat : PromptForm::kChat;
  switch (rules.layout) {
    case Layout::kOwn:
      prompt.messages = {{"user", own_request(sample)}};
      return prompt;
    case Layout::kTemplate:
      prompt.messages = {
          {"user", fill_template(template_text(context, rules.template_path),
                                 std::array{TemplateField{"problem", sample.question}})}};
      return prompt;
    case Layout::kSolutionTurns:
      prompt.messages = solution_turns(sample, examples(context, rules));
      return prompt;
    case Layout::kProblem:
      prompt.text = fmt::format("Problem: {}\nAnswer:", sample.question);
      break;
    case Layout::kSolutions:
      prompt.text = solutions_text(sample, examples(context, rules));
      break;
    case Layout::kHelm:
      prompt.text = helm_text(sample, context, rules);
      break;
  }
  prompt.form = PromptForm::kText;
  return prompt;
}

std::string MathBenchmark::extract(const Response& response, const ScoreContext& context) const {
  const std::string_view text = response.text;
  if (!context.answer_after.empty()) {
    const std::size_t mark = text.rfind(context.answer_after);
    if (mark == std::string_view::npos) return "";
    return std::string(trim_ascii(text.substr(mark + context.answer_after.size())));
  }
  return table().of(context.protocol).find(text).value_or("");
}

Score MathBenchmark::score(const Sample& sample, const Response& response,
                           const ScoreContext& context) const {
  const Rules& rules = table().of(context.protocol);
  const std::string answer = extract(response, context);
  const bool right = !answer.empty() && rules.equal(sample.target, answer);
  Score score;
  score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
  score.value = right ? 1 : 0;
  score.answer = answer;
  score.reason = right                ? "equal to the target"
                 : !answer.empty()    ? "not equal to the target"
                 : response.truncated ? "no answer: cut by the length limit"
                                      : "no answer found";
  score.parts = {{.metric = "accuracy", .value = score.value, .count = 1}};
  const std::string vote = right ? sample.target : math_key(answer);
  if (vote != answer) score.detail.set("vote", vote);
  if (rules.layout == Layout::kOwn && context.answer_after.empty()) {
    const std::optional<BoxedAnswer> box = boxed_lenient(response.text);
    if (box && !box->leniency.empty()) score.detail.set("lenient_extraction", box->leniency);
  }
  return score;
}

Response MathBenchmark::gold_response(const Sample& sample, const ScoreContext& context) const {
  const Rules& rules = table().of(context.protocol);
  if (!context.answer_after.empty()) {
    return {.text = context.answer_after + sample.target, .choices = {}, .truncated = false};
  }
  // A sentence is found on one line; to TeX a line break is a blank.
  const std::string target =
      rules.gold == kFinalSentence ? replace_all(sample.target, "\n", " ") : sample.target;
  return {.text = replace_all(rules.gold, "@", target), .choices = {}, .truncated = false};
}

Sample math_sample(const Record& record, std::string id, std::string subject, std::string level,
                   std::string target) {
  const std::string& solution = record.fields.at("solution").as_string();
  if (target.empty()) {
    std::optional<std::string> box = boxed_upstream(solution);
    if (!box) box = own_box(solution);
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
