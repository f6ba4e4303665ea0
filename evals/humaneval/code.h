// Getting a program out of an answer by our own rules (docs/sandbox.md); those of other harnesses
// are in reference_code.h. Pure; any thread.
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
/// and helpers, an indented body after the whole prompt; without a fence the answer's own lines, as
/// many from the first on as are a program behind the prompt.
Code own_program(std::string_view response, const Problem& problem);

/// The completion as it stands, cut at the first of `stops`.
Code raw_program(std::string_view response, const Problem& problem,
                 std::span<const std::string> stops);

/// True when a line of `code` begins the definition of `name`, at the left margin.
bool defines(std::string_view code, std::string_view name);

}  // namespace assay::evals::humaneval
