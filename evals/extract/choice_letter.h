// The letter of a multiple-choice answer: the extraction rules of the harnesses, each named after
// its reference, and our own.
// Source: the patterns of lm-evaluation-harness 4e7e0d47, llama-cookbook 0e003351, simple-evals
// ee3b0318, HELM 63754d05 and OpenCompass a5acc4bb, matched here by hand.
// `kInvalidAnswer` or "" where nothing is found, as the reference has it. Any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace assay::evals {

/// Last `best answer is ([A-Z])`; "[invalid]" for none.
std::string choice_meta_cot(std::string_view response);
/// Last capital letter behind a blank that stands alone; "[invalid]" for none.
std::string choice_meta_short(std::string_view response);
/// The whole response, blanks stripped (compare with `choice_exact_match`).
std::string choice_whole(std::string_view response);
/// Text after the first "The answer is " up to the last but one character of its line.
std::string choice_lm_eval_gpqa_strict(std::string_view response);
/// Last `(X)`; else the last text of a choice, case and punctuation folded; else the last letter
/// after a colon. `choices` may be empty.
std::string choice_lm_eval_gpqa_flexible(std::string_view response,
                                         std::span<const std::string> choices);
/// Text after the first of "answer is ", "The answer: ", "The final answer: ", as in the strict
/// rule.
std::string choice_lm_eval_flan_strict(std::string_view response);
/// First `Answer[ \t]*:[ \t]*\$?([A-D])`, any case; the letter as it stands; "" for none.
std::string choice_simple_evals_gpqa(std::string_view response);
/// Markup removed, then the word for "answer" in many languages, in order; "" for none.
std::string choice_simple_evals_mmlu(std::string_view response);
/// First `answer is \(?([A-J])`, else the first of two rarer forms; "" for none.
std::string choice_helm(std::string_view response);
/// First `answer\s*:\s*([A-D])`, any case; "" for none.
std::string choice_opencompass(std::string_view response);

/// Our own rule, which accepts every way of the above to name one letter: the last "answer is X" or
/// "answer: X" with markup around X, a boxed letter, or a response that is nothing but a letter.
std::string choice_own(std::string_view response);

/// lm-eval's exact match with case and ASCII punctuation ignored.
bool choice_exact_match(std::string_view answer, std::string_view gold);

}  // namespace assay::evals
