// The boxed answer of a response: upstream's rule, and a lenient rule that records what it forgave.
// Source of the first: remove_boxed and last_boxed_only_string of hendrycks/math (985bdc16).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay::evals {

/// Content of the last box as hendrycks/math and lm-evaluation-harness find it. A "\boxed " with a
/// space anywhere wins over later braced boxes and runs to the next dollar sign; otherwise the last
/// \boxed, else the last \fbox, up to the brace that closes it. Escaped braces count like braces.
/// Nothing when there is no box or it never closes.
std::optional<std::string> boxed_upstream(std::string_view response);

/// Content of the last \boxed{...} as OpenCompass (a5acc4bb) finds it; a "\boxed" without a brace
/// at once, or an \fbox that comes last of all, gives nothing. `strip_double_braces`: "{{5}}" gives
/// "5".
std::optional<std::string> boxed_opencompass(std::string_view response, bool strip_double_braces);

struct BoxedAnswer {
  std::string content;   // trimmed of ASCII blanks
  std::string leniency;  // what upstream would not have read: "space before brace", "one token",
                         // "doubled backslash"; "" when nothing was forgiven
};

/// The last box, also `\boxed {5}`, `\boxed5`, `\boxed\pi` and `\\boxed{5}`.
std::optional<BoxedAnswer> boxed_lenient(std::string_view response);

}  // namespace assay::evals
