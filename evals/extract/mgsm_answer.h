// Final answers in eleven languages: the extraction rules of MGSM, each named after its reference,
// and a lenient one of our own.
// Source: simple-evals ee3b0318, lm-evaluation-harness 4e7e0d47; matched here by hand. Any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace assay::evals {

/// Words of one language that the protocols are made of.
struct MgsmLanguage {
  std::string_view code;            // "de"
  std::string_view answer_prefix;   // "Antwort"
  std::string_view question_label;  // "Frage:"
  std::string_view answer_label;    // "Schritt-für-Schritt-Antwort:"
  std::string_view direct_label;    // "Antwort:"
  std::string_view strict_cue;      // "Die Antwort lautet "; the number follows
  std::string_view strict_end;      // literal text that must follow the number; "" for none
  bool comma_decimals;              // 1.234,5 rather than 1,234.5
};

std::span<const MgsmLanguage> mgsm_languages();
/// Null for an unknown code.
const MgsmLanguage* find_mgsm_language(std::string_view code);

/// simple-evals: text after the last prefix word, ASCII commas removed, the last `\d+\.?\d*` in
/// it without a final dot; "" when there is none.
std::string mgsm_simple_evals(std::string_view response, const MgsmLanguage& language);
/// Its comparison: of an answer with a dot, zeros and then dots on the right are stripped; of the
/// gold answer, commas are removed.
bool mgsm_simple_evals_match(std::string_view answer, std::string_view gold);
/// lm-eval mgsm_native_cot: first `cue` + number + `end`; "[invalid]" for none.
std::string mgsm_native_strict(std::string_view response, const MgsmLanguage& language);
/// lm-eval mgsm_direct: leading white space removed.
std::string mgsm_direct(std::string_view response);
/// lm-eval's comparison: case and ASCII punctuation ignored.
bool mgsm_lm_eval_match(std::string_view answer, std::string_view gold);

/// Our own: NFC, digits of any script, the language's marks for thousands and decimals; the first
/// number behind the last prefix word, or without one the last number. In normal form.
std::optional<std::string> mgsm_lenient(std::string_view response, const MgsmLanguage& language);

}  // namespace assay::evals
