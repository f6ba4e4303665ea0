#include "evals/mgsm/protocols.h"

#include <vector>

#include "base/text.h"
#include "evals/extract/number_answer.h"
#include "evals/protocol_table.h"

namespace assay::evals::mgsm {
namespace {

const std::vector<MetricSpec> kMetrics = {
    mean_metric("accuracy", "accuracy"), macro_metric("macro_accuracy", "accuracy"),
    mean_metric("accuracy_lenient", "lenient"), mean_metric("accuracy_flexible", "flexible")};

using Entry = ProtocolEntry<Rules>;

Entry lm_eval(std::string name, std::string title, Layout layout, int shots) {
  Protocol protocol{.name = std::move(name),
                    .title = std::move(title),
                    .shots = {},
                    .sampling = {.max_tokens = 256, .stop = {"</s>", "<|im_end|>"}},
                    .metrics = kMetrics};
  if (shots > 0) {
    protocol.shots = {.kind = ShotRule::Kind::kPythonSample, .count = shots, .split = "exemplars"};
  }
  return {std::move(protocol), {.layout = layout}};
}

Entry instruction(std::string name, std::string title, std::string_view path) {
  return {{.name = std::move(name),
           .title = std::move(title),
           .needs_templates = true,
           .shots = {},
           .sampling = {.max_tokens = 2048, .stop = {}},
           .metrics = kMetrics},
          {.layout = Layout::kInstruction, .template_path = path}};
}

std::vector<Entry> entries() {
  return {
      {{.name = "assay",
        .title = "our own words, reasoning first, no examples",
        .shots = {},
        .sampling = {.max_tokens = 2048, .stop = {}},
        .metrics = kMetrics},
       {.layout = Layout::kOwn}},
      instruction("meta", "Meta's evaluation: instruction in the language, no examples",
                  "meta.mgsm_0shot_cot.instruction"),
      instruction("simple-evals", "simple-evals: instruction in the language, no examples",
                  "simple_evals.mgsm.instruction"),
      lm_eval("native-cot", "lm-eval mgsm_native_cot: 8 examples in drawn order",
              Layout::kNativeSteps, 8),
      lm_eval("native-cot-0shot", "lm-eval mgsm_native_cot as it is without --num_fewshot",
              Layout::kNativeSteps, 0),
      lm_eval("en-cot", "lm-eval mgsm_en_cot: 8 examples in drawn order", Layout::kEnglishSteps, 8),
      lm_eval("direct", "lm-eval mgsm_direct: 8 examples in drawn order", Layout::kDirect, 8),
  };
}

const ProtocolTable<Rules>& table() {
  static const ProtocolTable<Rules> kTable(entries());
  return kTable;
}

}  // namespace

std::span<const Protocol> protocols() { return table().protocols(); }

const Rules& rules_of(const Protocol* protocol) { return table().of(protocol); }

std::string own_rule_answer(Layout layout, std::string_view response,
                            const MgsmLanguage& language) {
  switch (layout) {
    case Layout::kOwn: {
      // A response that is nothing but a number needs no word before it.
      const std::optional<std::string> whole = whole_number_text(response);
      return whole ? *whole : mgsm_simple_evals(response, language);
    }
    case Layout::kInstruction:
      return mgsm_simple_evals(response, language);
    case Layout::kNativeSteps:
      break;
    case Layout::kEnglishSteps: {
      const std::string answer = mgsm_native_strict(response, *find_mgsm_language("en"));
      return answer == kInvalidAnswer ? "" : answer;
    }
    case Layout::kDirect:
      return mgsm_direct(response);
  }
  const std::string answer = mgsm_native_strict(response, language);
  return answer == kInvalidAnswer ? "" : answer;
}

bool own_rule_match(Layout layout, std::string_view answer, std::string_view gold) {
  const bool by_number = layout == Layout::kOwn || layout == Layout::kInstruction;
  return by_number ? mgsm_simple_evals_match(answer, gold) : mgsm_lm_eval_match(answer, gold);
}

}  // namespace assay::evals::mgsm
