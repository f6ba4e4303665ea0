// Numbers as the final answer of a text: the extraction rules of the GSM8K harnesses, each named
// after its reference, and our own.
// Source: the patterns of lm-evaluation-harness 4e7e0d47, grade-school-math 3101c7d5,
// HELM 63754d05 and OpenCompass a5acc4bb, matched here by hand.
// All work on bytes of UTF-8 text, allocate only their result, take linear time; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay::evals {

/// What lm-eval's filters yield when nothing matches.
inline constexpr std::string_view kInvalidAnswer = "[invalid]";

/// First `#### (-?[0-9.,]+)`.
std::string gsm8k_lm_eval_strict(std::string_view response);
/// First `The answer is (-?[0-9.,]+).`, the last dot being any character but a line feed.
std::string gsm8k_cot_strict(std::string_view response);
/// Last `The final answer is ((-?[$0-9.,]{2,})|(-?[0-9]+))`.
std::string gsm8k_cot_llama_strict(std::string_view response);
/// Last `final answer is (-?[0-9.,]+)`.
std::string gsm8k_meta_strict(std::string_view response);
/// Last of `(-?[$0-9.,]{2,})|(-?[0-9]+)`.
std::string gsm8k_lm_eval_flexible(std::string_view response);
/// After the first `#### `: `-?[0-9.,]+`, commas removed.
std::string gsm8k_original(std::string_view response);
/// Last `-?[\d,]+(?:.\d+)?`, commas removed; "" for none.
std::string gsm8k_helm(std::string_view response);
/// Last `-?\d+\.\d+|-?\d+` before "Question:"; "NULL" for none.
std::string gsm8k_opencompass(std::string_view response);

/// lm-eval's exact match on GSM8K: commas, dollars, all up to the last "#### " and one final dot
/// deleted, lower-cased, compared as strings.
bool gsm8k_lm_eval_match(std::string_view answer, std::string_view gold);
/// OpenCompass: equal strings, or numbers within 1e-6; the gold answer loses its commas first.
bool gsm8k_opencompass_match(std::string_view answer, std::string_view gold);

/// Our own reading of numbers: optional sign (not after a digit, letter or closing bracket),
/// thousands commas between groups of three, decimals. The result is in normal form: no commas, no
/// leading zeros, no zeros after the last digit of a fraction, no "-0".
std::optional<std::string> first_number(std::string_view text);
std::optional<std::string> last_number(std::string_view text);
/// The whole text, but for blanks and a currency sign, as one number in normal form.
std::optional<std::string> whole_number_text(std::string_view text);

}  // namespace assay::evals
