#include "evals/gpqa/protocols.h"

#include <vector>

#include "evals/protocol_table.h"

namespace assay::evals::gpqa {
namespace {

const MetricSpec kAccuracy = mean_metric("accuracy", "accuracy");
const MetricSpec kFlexible = mean_metric("accuracy_flexible", "flexible");

using Entry = ProtocolEntry<Rules>;

Entry make(std::string name, std::string title, int max_tokens, const Rules& rules) {
  Protocol protocol{.name = std::move(name),
                    .title = std::move(title),
                    .split = "diamond",
                    .needs_templates = !rules.template_path.empty(),
                    .shots = {},
                    .sampling = {.max_tokens = max_tokens, .stop = {}},
                    .metrics = {kAccuracy}};
  if (rules.finder == Finder::kLmEvalStrict) protocol.metrics.push_back(kFlexible);
  return {std::move(protocol), rules};
}

std::vector<Entry> entries() {
  return {
      make("assay", "our own words, reasoning first, seeded portable orders", 2048, {}),
      make("meta-cot", "Meta's wording, reasoning first; orders of simple-evals", 2048,
           {.finder = Finder::kMetaCot, .template_path = "meta.gpqa_0shot_cot.user"}),
      make("meta", "Meta's evaluation without reasoning; orders of simple-evals", 96,
           {.finder = Finder::kMetaShort, .template_path = "meta.gpqa_0shot.user"}),
      make("simple-evals", "simple-evals; 4 repeats give its published set-up", 2048,
           {.finder = Finder::kSimpleEvals,
            .template_path = "simple_evals.multiple_choice.user",
            .bare_chat = false}),
      make("lm-eval-cot",
           "lm-eval gpqa_*_cot_zeroshot; its orders depend on its cache, these are "
           "those of a first pass",
           256,
           {.order = OrderRule::kLmEval,
            .finder = Finder::kLmEvalStrict,
            .template_path = "lm_eval.gpqa_cot.user",
            .lm_eval_texts = true,
            .plain_text = true}),
      make("lm-eval", "lm-eval gpqa_*_zeroshot: likelihood of (A) to (D); orders as in lm-eval-cot",
           1,
           {.order = OrderRule::kLmEval,
            .finder = Finder::kLikelihood,
            .template_path = "lm_eval.gpqa.user",
            .lm_eval_texts = true,
            .plain_text = true}),
      make("helm", "HELM: one seeded order, reasoning first", 2048,
           {.order = OrderRule::kHelm,
            .finder = Finder::kHelm,
            .template_path = "helm.gpqa.user",
            .bare_chat = false}),
      make("opencompass", "OpenCompass: answers rotated by row, wording of simple-evals", 2048,
           {.order = OrderRule::kOpenCompass,
            .finder = Finder::kOpenCompass,
            .template_path = "simple_evals.multiple_choice.user",
            .bare_chat = false}),
  };
}

const ProtocolTable<Rules>& table() {
  static const ProtocolTable<Rules> kTable(entries());
  return kTable;
}

}  // namespace

std::span<const Protocol> protocols() { return table().protocols(); }

const Rules& rules_of(const Protocol* protocol) { return table().of(protocol); }

}  // namespace assay::evals::gpqa
