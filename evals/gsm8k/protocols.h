// The protocols of GSM8K, with how each one finds and compares the answer.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "evals/benchmark.h"

namespace assay::evals::gsm8k {

/// How a protocol lays out its prompt.
enum class Layout {
  kOwnTurns,       // our own words and worked examples, as chat turns
  kOwnQuestion,    // our own words, no examples
  kLmEval,         // "Question:" / "Answer:", examples from the data
  kWei,            // "Q:" / "A:", the eight fixed examples of a prompt file
  kZeroShotSteps,  // "Q:" / "A:" with the cue to think, no examples
  kMetaTurns,      // Meta's wording and examples from a prompt file, as chat turns
  kBareQuestion,   // the question and a line feed
  kHelm,           // "Q:" / "A:", examples from the data with the answer as a sentence
  kFromFile,       // one user turn from a prompt file
};

using Extractor = std::string (*)(std::string_view response);
using Matcher = bool (*)(std::string_view answer, std::string_view gold);

struct Rules {
  Layout layout = Layout::kOwnTurns;
  Extractor strict = nullptr;      // the protocol's own rule
  Matcher match = nullptr;         // its comparison
  bool dotted_examples = false;    // kMetaTurns: examples end with a dot
  std::string_view template_path;  // kFromFile
};

std::span<const Protocol> protocols();
/// Of one of `protocols()`; a null or foreign pointer means the first.
const Rules& rules_of(const Protocol* protocol);

/// Question and solution of one of our own worked examples.
struct Example {
  std::string_view question;
  std::string_view solution;  // ends with the sentence that the prompt asks for
};
std::span<const Example> own_examples();

/// Our own rule: the first number after the last answer cue, else the last number.
std::string own_answer(std::string_view response);
/// Equal as numbers.
bool number_match(std::string_view answer, std::string_view gold);

}  // namespace assay::evals::gsm8k
