// Getting a program out of an answer as other harnesses do, each rule named after its reference.
// Source: openai/simple-evals ee3b0318, lm-evaluation-harness 4e7e0d47, OpenCompass a5acc4bb,
// bigcode-evaluation-harness, EvalPlus 26d6d00b; measured behaviour. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace assay::evals::humaneval {

/// What simple-evals appends to the prompt.
std::string simple_evals_completion(std::string_view response);

/// The answer up to its first fence, as lm-eval's instruct task and Meta's prefix have it.
std::string until_fence(std::string_view response);

/// OpenCompass: the first (v2) or last (v3) block between a fence, a word and a line feed, and the
/// next fence; else the whole text. Leading blanks go.
std::string opencompass_v2(std::string_view response);
std::string opencompass_v3(std::string_view response);
/// OpenCompass's rules for continuations: v1 drops imports, signature and empty lines, indents what
/// is left and keeps its first block; v2 keeps the indented lines at the start. (v1 also evaluates
/// an answer that is a Python literal; that is not done here.)
std::string opencompass_internal_v1(std::string_view response);
std::string opencompass_internal_v2(std::string_view response);

/// bigcode-evaluation-harness: cut at the first of its stop strings.
std::string bigcode_completion(std::string_view response);

/// EvalPlus: of all runs of two and more lines that are a Python program, the first with the most
/// lines that are not blank; the first line where there is none. Work is bounded: beyond some
/// millions of characters read the longest so far is taken.
std::string evalplus_code(std::string_view response);

}  // namespace assay::evals::humaneval
