// Getting a program out of an answer: our own rules, and those of the reference harnesses.
// Source of the latter: openai/simple-evals @ ee3b0318, lm-evaluation-harness @ 4e7e0d47; measured
// behaviour, docs/humaneval.md. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace assay::evals::humaneval {

struct Code {
  std::string program;  // what is run: defines the entry point, if the answer does
  std::string rule;     // which rule applied, for the stored sample
};

struct Problem {
  std::string_view prompt;
  std::string_view entry_point;
};

/// Our own rules: reasoning tags away; of the fences tagged python, py, python3 or not at all, the
/// last that defines the entry point, else the last; a whole definition after the prompt's imports
/// and helpers, an indented body after the whole prompt; without a fence the answer's own lines.
Code own_program(std::string_view response, const Problem& problem);

/// The completion as it stands, cut at the first of `stops`.
Code raw_program(std::string_view response, const Problem& problem,
                 std::span<const std::string> stops);

/// The completion that simple-evals appends to the prompt.
std::string simple_evals_completion(std::string_view response);
Code simple_evals_program(std::string_view response, const Problem& problem);

/// Prompt and answer up to its first fence, as lm-eval's instruct task and Meta's prefix have it.
Code until_fence_program(std::string_view response, const Problem& problem);

/// True when a line of `code` begins the definition of `name`, at the left margin.
bool defines(std::string_view code, std::string_view name);

}  // namespace assay::evals::humaneval
