// Cuts text into the words that byte-level BPE works on, as Llama 3's pattern does.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay::engine {

/// The pattern that `llama3_word_end` implements, as it stands in tokenizer.json:
/// contractions, letters with one leading mark, up to three digits, marks, line ends, blanks.
extern const std::string_view kLlama3Pattern;

/// End of the word that begins at `begin`, both in bytes. The first alternative of the pattern that
/// matches decides, and each is greedy. Letters are general category L, digits N (Nl and No too),
/// blanks the White_Space property. Time linear in the text over a whole run of calls.
/// REQUIRES: valid UTF-8, begin < text.size() on a character boundary.
std::size_t llama3_word_end(std::string_view text, std::size_t begin);

}  // namespace assay::engine
