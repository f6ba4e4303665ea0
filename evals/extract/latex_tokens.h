// Cuts LaTeX or plain text into tokens, with wrappers, spacing and text commands resolved.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evals/extract/math_node.h"

namespace assay::evals {

struct LatexToken {
  enum class Kind { kNumber, kLetter, kCommand, kWord, kSign, kSeparator, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;    // command without backslash; one-character sign; number without separators
  bool blank = false;  // white space stands before it
};

struct LatexTokens {
  std::vector<LatexToken> tokens;  // ends with kEnd
  bool ambiguous_comma = false;
};

LatexTokens latex_tokens(std::string_view text, CommaReading reading);
/// Wrappers, spacing commands and Unicode signs replaced; the text that tokens are cut from.
std::string latex_clean(std::string_view text);

}  // namespace assay::evals
