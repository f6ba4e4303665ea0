#include "evals/mmlu/protocols.h"

#include <vector>

#include "evals/extract/choice_letter.h"
#include "evals/protocol_table.h"

namespace assay::evals::mmlu {
namespace {

const MetricSpec kMicroSpec = mean_metric("accuracy", "accuracy");
const MetricSpec kMacroSpec = macro_metric("macro_accuracy", "accuracy");

using Entry = ProtocolEntry<Rules>;

enum class Headline { kMicro, kMacro };

Protocol make(std::string name, std::string title, int shots, SamplingDefaults sampling,
              Headline headline) {
  Protocol protocol{.name = std::move(name),
                    .title = std::move(title),
                    .shots = {},
                    .sampling = std::move(sampling),
                    .metrics = {kMicroSpec, kMacroSpec}};
  if (headline == Headline::kMacro) std::swap(protocol.metrics[0], protocol.metrics[1]);
  if (shots > 0) {
    protocol.shots = {.kind = ShotRule::Kind::kFirst, .count = shots, .split = "dev"};
  }
  return protocol;
}

std::vector<Entry> likelihood_entries() {
  return {
      {make("assay", "5 worked examples, likelihood of the four letters", 5, limits(1),
            Headline::kMacro),
       {.layout = Layout::kOwnShots, .extract = choice_own}},
      {make("assay-cot", "our own words, reasoning first, no examples", 0, limits(1024),
            Headline::kMacro),
       {.layout = Layout::kOwnSteps, .extract = choice_own}},
      {make("original", "hendrycks/test: 5 examples, likelihood of the next token", 5, limits(1),
            Headline::kMicro),
       {.layout = Layout::kOriginal, .extract = choice_own}},
      {make("lm-eval", "lm-eval mmlu with 5 examples", 5, limits(1), Headline::kMicro),
       {.layout = Layout::kLmEval,
        .extract = choice_own,
        .strip = true,
        .lm_eval_categories = true}},
      {make("lm-eval-0shot", "lm-eval mmlu as it is without --num_fewshot", 0, limits(1),
            Headline::kMicro),
       {.layout = Layout::kLmEval,
        .extract = choice_own,
        .strip = true,
        .lm_eval_categories = true}},
      {make("lm-eval-chat", "lm-eval mmlu with chat template, 5 examples as turns", 5, limits(1),
            Headline::kMicro),
       {.layout = Layout::kLmEvalChat,
        .extract = choice_own,
        .strip = true,
        .system_block = true,
        .lm_eval_categories = true}},
  };
}

std::vector<Entry> generative_entries() {
  return {
      {make("helm", "HELM: 5 examples, the letter as text", 5, limits(5, {"\n"}), Headline::kMacro),
       {.layout = Layout::kHelm, .extract = choice_whole}},
      {with_file(make("meta-5shot", "Meta's evaluation: 5 examples as turns, opened answer", 5,
                      limits(10, {"."}), Headline::kMacro)),
       {.layout = Layout::kMetaShots, .extract = choice_whole, .template_path = "meta.mmlu_5shot"}},
      {with_file(make("meta-cot", "Meta's evaluation: reasoning first, no examples", 0,
                      limits(1024), Headline::kMacro)),
       {.layout = Layout::kTemplate,
        .extract = choice_meta_cot,
        .template_path = "meta.mmlu_0shot_cot.user"}},
      {with_file(make("lm-eval-llama", "lm-eval mmlu_llama: Meta's wording, model's template", 5,
                      limits(10, {"."}), Headline::kMicro)),
       {.layout = Layout::kMetaShots,
        .extract = choice_whole,
        .template_path = "meta.mmlu_5shot",
        .strip = true,
        .system_block = true,
        .lm_eval_categories = true}},
      {with_file(
           make("lm-eval-cot-llama", "lm-eval mmlu_cot_llama", 0, limits(1024), Headline::kMicro)),
       {.layout = Layout::kTemplate,
        .extract = choice_meta_cot,
        .template_path = "meta.mmlu_0shot_cot.user",
        .strip = true,
        .system_block = true,
        .lm_eval_categories = true}},
      {with_file(make("simple-evals", "simple-evals: one turn, answer after \"Answer:\"", 0,
                      limits(2048), Headline::kMicro)),
       {.layout = Layout::kTemplate,
        .extract = choice_simple_evals_mmlu,
        .template_path = "simple_evals.multiple_choice.user",
        .system_block = true}},
  };
}

const ProtocolTable<Rules>& table() {
  static const ProtocolTable<Rules> kTable(joined(likelihood_entries(), generative_entries()));
  return kTable;
}

}  // namespace

std::span<const Protocol> protocols() { return table().protocols(); }

const Rules& rules_of(const Protocol* protocol) { return table().of(protocol); }

}  // namespace assay::evals::mmlu
