// Where other harnesses take the answer of a MATH response from. Sources: lm-evaluation-harness
// 4e7e0d47 (minerva_math, hendrycks_math), openai/simple-evals ee3b0318, Math-Verify 5d148cfa.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay::evals {

/// The first text on one line between "Final Answer: The final answer is" and any character, then
/// " I hope it is correct" and any character; that ending is appended to the response first. Else
/// "[invalidanswer]".
std::string minerva_final_answer(std::string_view response);

/// Text between the first and the last dollar sign; the whole response with fewer than two.
std::string between_dollars(std::string_view response);

/// What follows the first "Answer:" (any case, blanks allowed before and after the colon) to the
/// end of its line.
std::optional<std::string> answer_line(std::string_view response);

/// By the priorities of Math-Verify: the sentence "final answer is ... I hope"; else the last
/// boxes, those of one expression joined by commas; else what follows the last "answer:"; else the
/// last formula or number. Its further patterns (units, other languages) are not reproduced.
std::optional<std::string> math_verify_answer(std::string_view response);

}  // namespace assay::evals
