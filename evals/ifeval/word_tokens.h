// Word tokens in the manner of the Penn Treebank, as NLTK's word tokenizer cuts one sentence.
// Source: the published behaviour of NLTK 3.8's NLTKWordTokenizer (MacIntyre's sed script with
// Unicode quotes). Only white space and punctuation are changed; text is never joined.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::evals {

/// Tokens of one sentence, in order. Quotes come back as two backticks or two apostrophes.
std::vector<std::u32string> word_tokens(std::u32string_view sentence);

}  // namespace assay::evals
