#include "evals/gsm8k/protocols.h"

#include <array>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "evals/extract/number_answer.h"
#include "evals/protocol_table.h"

namespace assay::evals::gsm8k {
namespace {

const std::vector<MetricSpec> kMetrics = {
    mean_metric("accuracy", "accuracy"), mean_metric("accuracy_strict", "strict"),
    mean_metric("accuracy_flexible", "flexible"), mean_metric("accuracy_number", "number")};

const std::vector<std::string> kTurnStops = {
    "<|eot_id|>", "<|start_header_id|>user<|end_header_id|>", "Q:", "</s>", "<|im_end|>"};

ShotRule drawn_from_train(int count) {
  return {.kind = ShotRule::Kind::kPythonSample, .count = count, .split = "train", .seed = 1234};
}

ShotRule fixed(int count) { return {.kind = ShotRule::Kind::kFixed, .count = count, .split = ""}; }

bool string_match(std::string_view answer, std::string_view gold) {
  return answer == replace_all(gold, ",", "");
}

using Entry = ProtocolEntry<Rules>;

Protocol make(std::string name, std::string title, ShotRule shots, SamplingDefaults sampling) {
  return {.name = std::move(name),
          .title = std::move(title),
          .shots = std::move(shots),
          .sampling = std::move(sampling),
          .metrics = kMetrics};
}

std::vector<Entry> own_entries() {
  return {
      {make("assay", "8 worked examples of our own as chat turns; limit of Meta's evaluations",
            fixed(8), limits(1024)),
       {.layout = Layout::kOwnTurns, .strict = own_answer, .match = number_match}},
      {make("assay-0shot", "our own words, no examples", {}, limits(1024)),
       {.layout = Layout::kOwnQuestion, .strict = own_answer, .match = number_match}},
  };
}

std::vector<Entry> reference_entries() {
  const std::vector<std::string> question_stops = {"Question:", "</s>", "<|im_end|>"};
  const std::vector<std::string> q_stops = {"Q:", "</s>", "<|im_end|>"};
  return {
      {make("lm-eval", "lm-eval gsm8k: 5 examples drawn per question", drawn_from_train(5),
            limits(256, question_stops)),
       {.layout = Layout::kLmEval, .strict = gsm8k_lm_eval_strict, .match = gsm8k_lm_eval_match}},
      {with_file(make("cot", "lm-eval gsm8k_cot: the 8 examples of Wei et al.", fixed(8),
                      limits(256, q_stops))),
       {.layout = Layout::kWei, .strict = gsm8k_cot_strict, .match = gsm8k_lm_eval_match}},
      {make("cot-0shot", "lm-eval gsm8k_cot_zeroshot", {}, limits(256, q_stops)),
       {.layout = Layout::kZeroShotSteps,
        .strict = gsm8k_cot_strict,
        .match = gsm8k_lm_eval_match}},
      {with_file(make("cot-llama", "lm-eval gsm8k_cot_llama: the 8 examples as turns", fixed(8),
                      limits(256, kTurnStops))),
       {.layout = Layout::kMetaTurns,
        .strict = gsm8k_cot_llama_strict,
        .match = gsm8k_lm_eval_match}},
      {with_file(make("meta", "Meta's evaluation: the 8 examples as turns, 1024 tokens", fixed(8),
                      limits(1024))),
       {.layout = Layout::kMetaTurns,
        .strict = gsm8k_meta_strict,
        .match = gsm8k_lm_eval_match,
        .dotted_examples = true}},
      {make("original", "grade-school-math: the question alone, answer after ####", {},
            limits(400)),
       {.layout = Layout::kBareQuestion, .strict = gsm8k_original, .match = string_match}},
      {make("helm", "HELM's extraction; examples are drawn by our rule, not HELM's",
            drawn_from_train(5), limits(400, {"\n\n"})),
       {.layout = Layout::kHelm, .strict = gsm8k_helm, .match = string_match}},
      {with_file(make("opencompass", "OpenCompass's extraction, one turn from a prompt file", {},
                      limits(512))),
       {.layout = Layout::kFromFile,
        .strict = gsm8k_opencompass,
        .match = gsm8k_opencompass_match,
        .template_path = "opencompass.gsm8k.user"}},
  };
}

const ProtocolTable<Rules>& table() {
  static const ProtocolTable<Rules> kTable(joined(own_entries(), reference_entries()));
  return kTable;
}

/// Start of the text after the last of the cues that introduce a final answer, or npos.
std::size_t after_last_cue(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kCues = {"final answer is",
                                                            "final answer:", "####"};
  const std::string lower = to_lower_ascii(text);
  std::size_t best = std::string_view::npos;
  for (const std::string_view cue : kCues) {
    const std::size_t found = lower.rfind(cue);
    if (found == std::string::npos) continue;
    const std::size_t end = found + cue.size();
    if (best == std::string_view::npos || end > best) best = end;
  }
  return best;
}

}  // namespace

std::span<const Protocol> protocols() { return table().protocols(); }

const Rules& rules_of(const Protocol* protocol) { return table().of(protocol); }

std::string own_answer(std::string_view response) {
  const std::size_t start = after_last_cue(response);
  if (start != std::string_view::npos) {
    const std::string_view line = response.substr(start, response.find('\n', start) - start);
    if (const std::optional<std::string> number = first_number(line)) return *number;
  }
  return last_number(response).value_or("");
}

bool number_match(std::string_view answer, std::string_view gold) {
  const std::optional<std::string> a = whole_number_text(answer);
  const std::optional<std::string> b = whole_number_text(gold);
  return a && b && *a == *b;
}

}  // namespace assay::evals::gsm8k
