// The protocols of MMLU: layout of the prompt and rule for the answer.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "evals/benchmark.h"

namespace assay::evals::mmlu {

enum class Layout {
  kOwnShots,    // our own words, worked examples from the data, likelihood of " A" .. " D"
  kOwnSteps,    // our own words, one turn, reasoning first
  kOriginal,    // header, examples, likelihood; two blanks before the subject
  kLmEval,      // the same with one blank, texts stripped
  kLmEvalChat,  // header as system message, examples as turns, likelihood of "A" .. "D"
  kHelm,        // HELM: header, "Question:" / "Answer:", examples from the data, text wanted
  kMetaShots,   // Meta's wording from a prompt file, examples as turns, opened answer
  kTemplate,    // one user turn from a prompt file
};

struct Rules {
  Layout layout = Layout::kOwnShots;
  std::string (*extract)(std::string_view) = nullptr;
  std::string_view template_path;  // kMetaShots: of the object; kTemplate: of the text
  bool strip = false;              // texts are stripped before they enter the prompt
  bool system_block = false;       // chat prompts go through the model's template as it is
  bool lm_eval_categories = false;
};

std::span<const Protocol> protocols();
/// Of one of `protocols()`; a null or foreign pointer means the first.
const Rules& rules_of(const Protocol* protocol);

}  // namespace assay::evals::mmlu
