// MGSM: the first 250 GSM8K test problems in eleven languages.
// Source: Shi et al. 2022, https://github.com/google-research/url-nlp
#include "evals/benchmark.h"

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "evals/extract/number_answer.h"
#include "evals/mgsm/manifest.h"
#include "evals/mgsm/protocols.h"
#include "evals/templates.h"

namespace assay::evals {
namespace {

using mgsm::Layout;
using mgsm::Rules;

constexpr std::string_view kEnglishLabel = "Step-by-Step Answer:";

const MgsmLanguage& language_of(const std::string& code) {
  const MgsmLanguage* language = find_mgsm_language(code);
  return language != nullptr ? *language : *find_mgsm_language("en");
}

std::string_view answer_label(Layout layout, const MgsmLanguage& language) {
  if (layout == Layout::kDirect) return language.direct_label;
  return layout == Layout::kEnglishSteps ? kEnglishLabel : language.answer_label;
}

/// lm-eval cuts as many characters from the worked answer as its label has, and one more.
std::string without_label(const std::string& answer, const MgsmLanguage& language) {
  const std::u32string text = to_code_points(answer);
  const std::size_t cut = to_code_points(language.answer_label).size() + 1;
  return to_utf8(std::u32string_view(text).substr(std::min(cut, text.size())));
}

Prompt lm_eval_prompt(const Sample& sample, std::span<const Sample> shots, Layout layout) {
  const MgsmLanguage& language = language_of(sample.group);
  const std::string_view label = answer_label(layout, language);
  Prompt prompt;
  for (const Sample& shot : shots) {
    prompt.text += fmt::format("{}\n{}", shot.question, label);
    prompt.text += layout == Layout::kDirect
                       ? shot.target
                       : " " + without_label(shot.extra.at("answer").as_string(), language);
    prompt.text += "\n\n";
  }
  // Worked questions carry their label; those of the test set do not.
  prompt.text += fmt::format("{} {}\n{}", language.question_label, sample.question, label);
  prompt.stop = {std::string(language.question_label)};
  return prompt;
}

Prompt own_prompt(const Sample& sample) {
  const MgsmLanguage& language = language_of(sample.group);
  Prompt prompt{.form = PromptForm::kBareChat};
  prompt.messages = {
      {"user",
       fmt::format("{}\n\nWork this out step by step in the language of the question. Write "
                   "the last line as \"{}: N\", where N is the number asked for, in digits "
                   "0 to 9.",
                   sample.question, language.answer_prefix)}};
  return prompt;
}

Prompt instruction_prompt(const Sample& sample, const PromptContext& context,
                          std::string_view path) {
  const std::string& text = template_text(context, fmt::format("{}.{}", path, sample.group));
  Prompt prompt{.form = PromptForm::kBareChat};
  // Instructions come with a place for the question, or as the text before it.
  const bool has_place = text.find("{input}") != std::string::npos;
  prompt.messages = {
      {"user", has_place ? fill_template(text, std::array{TemplateField{"input", sample.question}})
                         : text + "\n\n" + sample.question}};
  if (context.protocol->name == "simple-evals") prompt.form = PromptForm::kChat;
  return prompt;
}

class Mgsm : public Benchmark {
 public:
  [[nodiscard]] std::string_view name() const override { return "mgsm"; }
  [[nodiscard]] std::string_view title() const override {
    return "MGSM: grade-school word problems in eleven languages";
  }
  [[nodiscard]] const Manifest& manifest() const override { return mgsm_manifest(); }
  [[nodiscard]] std::span<const Protocol> protocols() const override { return mgsm::protocols(); }

  [[nodiscard]] Sample to_sample(const Record& record) const override {
    if (find_mgsm_language(record.group) == nullptr) {
      throw_input("{}: unknown language \"{}\"", record.place(), escaped(record.group, 20));
    }
    Sample sample{.id = fmt::format("mgsm/{}/{}", record.group, record.row),
                  .group = record.group,
                  .cluster = fmt::format("mgsm/{}", record.row),
                  .question = record.fields.at("question").as_string(),
                  .choices = {},
                  .target = std::string(trim_ascii(record.fields.at("answer").as_string())),
                  .extra = {}};
    if (!whole_number_text(sample.target)) {
      throw_input("{}: the answer \"{}\" is not a number", record.place(),
                  escaped(sample.target, 40));
    }
    return sample;
  }

  [[nodiscard]] std::vector<Sample> to_samples(const Record& record) const override {
    const Json* languages = record.fields.find("MGSM_EXEMPLARS");
    if (languages == nullptr) return {to_sample(record)};
    const Json::Array& answers = record.fields.at("EXEMPLAR_NUMBER_ANSWERS").as_array();
    std::vector<Sample> samples;
    for (const auto& [code, examples] : languages->as_object()) {
      for (const auto& [number, example] : examples.as_object()) {
        const std::int64_t index = parse_int(number).value_or(0);
        if (index < 1 || index > static_cast<std::int64_t>(answers.size())) {
          throw_input("{}: worked example \"{}\" of \"{}\" has no answer", record.place(),
                      escaped(number, 20), escaped(code, 20));
        }
        Sample& sample = samples.emplace_back();
        sample.id = fmt::format("mgsm/exemplars/{}/{}", code, number);
        sample.group = code;
        sample.question = example.at("q").as_string();
        sample.target = std::to_string(answers[static_cast<std::size_t>(index - 1)].as_int());
        sample.extra.set("answer", example.at("a").as_string());
      }
    }
    return samples;
  }

  [[nodiscard]] Prompt to_prompt(const Sample& sample,
                                 const PromptContext& context) const override {
    const Rules& rules = mgsm::rules_of(context.protocol);
    if (rules.layout == Layout::kOwn) return own_prompt(sample);
    if (rules.layout == Layout::kInstruction) {
      return instruction_prompt(sample, context, rules.template_path);
    }
    return lm_eval_prompt(sample, context.shots, rules.layout);
  }

  [[nodiscard]] std::string extract(const Response& response,
                                    const ScoreContext& context) const override {
    const std::vector<std::string_view> parts = split(std::string_view(context.sample_id), '/');
    return answer_in(response, context,
                     language_of(std::string(parts.size() == 3 ? parts[1] : "en")));
  }

  [[nodiscard]] Score score(const Sample& sample, const Response& response,
                            const ScoreContext& context) const override {
    const MgsmLanguage& language = language_of(sample.group);
    const Layout layout = mgsm::rules_of(context.protocol).layout;
    const std::string answer = answer_in(response, context, language);
    const bool right = !answer.empty() && mgsm::own_rule_match(layout, answer, sample.target);
    const std::optional<std::string> lenient = mgsm_lenient(response.text, language);
    const bool lenient_right = lenient && lenient == whole_number_text(sample.target);
    const bool flexible = mgsm_lm_eval_match(gsm8k_lm_eval_flexible(response.text), sample.target);
    Score score;
    score.verdict = right ? Verdict::kCorrect : Verdict::kIncorrect;
    score.value = right ? 1 : 0;
    score.answer = answer;
    score.reason = right                ? "equal to the target"
                   : !answer.empty()    ? "not the target"
                   : response.truncated ? "no answer: cut by the length limit"
                                        : "no answer found";
    score.parts = {{.metric = "accuracy", .value = score.value},
                   {.metric = "lenient", .value = lenient_right ? 1.0 : 0.0},
                   {.metric = "flexible", .value = flexible ? 1.0 : 0.0}};
    score.detail.set("lenient", lenient_right);
    score.detail.set("lenient_answer", lenient.value_or(""));
    score.detail.set("flexible", flexible);
    return score;
  }

  [[nodiscard]] Response gold_response(const Sample& sample,
                                       const ScoreContext& context) const override {
    const MgsmLanguage& language = language_of(sample.group);
    Response response;
    switch (mgsm::rules_of(context.protocol).layout) {
      case Layout::kOwn:
      case Layout::kInstruction:
        response.text = fmt::format("{}: {}", language.answer_prefix, sample.target);
        break;
      case Layout::kNativeSteps:
        response.text =
            fmt::format("{}{}{}", language.strict_cue, sample.target, language.strict_end);
        break;
      case Layout::kEnglishSteps:
        response.text = "The answer is " + sample.target;
        break;
      case Layout::kDirect:
        response.text = " " + sample.target;
        break;
    }
    return response;
  }

 private:
  static std::string answer_in(const Response& response, const ScoreContext& context,
                               const MgsmLanguage& language) {
    if (!context.answer_after.empty()) {
      const std::size_t mark = response.text.rfind(context.answer_after);
      if (mark == std::string::npos) return "";
      return first_number(
                 std::string_view(response.text).substr(mark + context.answer_after.size()))
          .value_or("");
    }
    return mgsm::own_rule_answer(mgsm::rules_of(context.protocol).layout, response.text, language);
  }
};

}  // namespace

const Benchmark& mgsm_benchmark() {
  static const Mgsm kBenchmark;
  return kBenchmark;
}

}  // namespace assay::evals
