// The protocols of MGSM: layout of the prompt and rule for the answer.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "evals/benchmark.h"
#include "evals/extract/mgsm_answer.h"

namespace assay::evals::mgsm {

enum class Layout {
  kOwn,           // our own words in English, answer after the language's word
  kInstruction,   // the instruction of the language from a prompt file, one turn
  kNativeSteps,   // lm-eval: labels of the language, examples from the data
  kEnglishSteps,  // lm-eval: question label of the language, English answer label
  kDirect,        // lm-eval: the answer alone
};

struct Rules {
  Layout layout = Layout::kOwn;
  std::string_view template_path;  // kInstruction: of the object with one text a language
};

std::span<const Protocol> protocols();
/// Of one of `protocols()`; a null or foreign pointer means the first.
const Rules& rules_of(const Protocol* protocol);

/// The answer that a protocol's own rule finds; "" for none.
std::string own_rule_answer(Layout layout, std::string_view response, const MgsmLanguage& language);
bool own_rule_match(Layout layout, std::string_view answer, std::string_view gold);

}  // namespace assay::evals::mgsm
