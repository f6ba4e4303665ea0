// Normal forms that other graders compare as strings, for parity with their scores. They damage
// answers ("\left" becomes "\le" in Minerva's) and are never part of our own grader.
// Sources: hendrycks/math 985bdc16; lm-evaluation-harness 4e7e0d47 (hendrycks_math, minerva_math).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace assay::evals {

enum class HendrycksFlavour {
  kOriginal,
  kLmEval,  // a/b with a part that is no integer makes the whole normalisation fail
};

/// Nothing where the reference raises an error (it then compares the raw strings).
std::optional<std::string> hendrycks_normal_form(
    std::string_view answer, HendrycksFlavour flavour = HendrycksFlavour::kOriginal);

/// String equality of the normal forms; of the raw strings when either form fails.
bool hendrycks_equal(std::string_view gold, std::string_view prediction,
                     HendrycksFlavour flavour = HendrycksFlavour::kOriginal);

/// Minerva's final-answer normalisation (Lewkowycz et al. 2022, appendix D.1).
std::string minerva_normal_form(std::string_view answer);

}  // namespace assay::evals
