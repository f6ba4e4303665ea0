// The 57 subjects of MMLU and their four categories.
// Source: hendrycks/test, categories.py; lm-evaluation-harness 4e7e0d47 for its one difference.
#pragma once

#include <string>
#include <string_view>

namespace assay::evals::mmlu {

/// "stem", "humanities", "social_sciences" or "other"; "other" for an unknown subject.
std::string_view category_of(std::string_view subject);
/// lm-eval files anatomy under STEM.
std::string_view lm_eval_category_of(std::string_view subject);
/// "abstract_algebra" -> "abstract algebra".
std::string spoken(std::string_view subject);

}  // namespace assay::evals::mmlu
