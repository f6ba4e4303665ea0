// The protocols of HumanEval: prompt, and rule for the program.
#pragma once

#include <span>
#include <string_view>

#include "evals/benchmark.h"
#include "evals/humaneval/code.h"

namespace assay::evals::humaneval {

enum class Layout {
  kOwn,         // our own words, one bare turn
  kPrompt,      // the prompt alone, raw text
  kTurn,        // a user turn from a prompt file
  kPrefixTurn,  // the same with an opened answer
  kPlainTurn,   // lm-eval without chat template: both as raw text, a line feed after each
};

struct Rules {
  Layout layout = Layout::kOwn;
  Code (*program)(std::string_view response, const Problem& problem) = nullptr;
  std::string_view template_path;  // of an object with `user` and, for openings, `assistant_prefix`
  bool bare_chat = true;           // false: the model's template with its system block
  bool strip_prompt = false;       // kPrompt: without blanks at both ends
  bool strip_prefix = false;       // the opened answer loses its blanks at the end
};

std::span<const Protocol> protocols();
/// Of one of `protocols()`; a null or foreign pointer means the first.
const Rules& rules_of(const Protocol* protocol);

}  // namespace assay::evals::humaneval
