#include "evals/mgsm/protocols.h"

#include <vector>

#include "base/text.h"
#include "evals/extract/number_answer.h"

namespace assay::evals::mgsm {
namespace {

const std::vector<MetricSpec> kMetrics = {
    {.name = "accuracy", .kind = MetricKind::kMean, .part = "accuracy", .of = {}},
    {.name = "macro_accuracy", .kind = MetricKind::kMacro, .part = "accuracy", .of = {}},
    {.name = "accuracy_lenient", .kind = MetricKind::kMean, .part = "lenient", .of = {}},
    {.name = "accuracy_flexible", .kind = MetricKind::kMean, .part = "flexible", .of = {}},
};

struct Entry {
  Protocol protocol;
  Rules rules;
};

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

struct Table {
  std::vector<Protocol> protocols;
  std::vector<Rules> rules;
};

const Table& table() {
  static const Table kTable = [] {
    const std::vector<Entry> entries = {
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
        lm_eval("en-cot", "lm-eval mgsm_en_cot: 8 examples in drawn order", Layout::kEnglishSteps,
                8),
        lm_eval("direct", "lm-eval mgsm_direct: 8 examples in drawn order", Layout::kDirect, 8),
    };
    Table built;
    for (const Entry& entry : entries) {
      built.protocols.push_back(entry.protocol);
      built.rules.push_back(entry.rules);
    }
    return built;
  }();
  return kTable;
}

}  // namespace

std::span<const Protocol> protocols() { return table().protocols; }

const Rules& rules_of(const Protocol* protocol) {
  const Table& all = table();
  for (std::size_t i = 0; i < all.protocols.size(); ++i) {
    if (protocol != nullptr && protocol->name == all.protocols[i].name) return all.rules[i];
  }
  return all.rules.front();
}

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
