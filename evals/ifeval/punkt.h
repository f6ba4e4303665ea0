// Sentence splitting with a trained Punkt model, as NLTK's English model splits.
// Source: Kiss and Strunk 2006, "Unsupervised multilingual sentence boundary detection"; the
// published behaviour of NLTK 3.8's PunktSentenceTokenizer. The model is data, given by the caller.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/json.h"

namespace assay::evals {

/// Immutable after parsing; any number of threads may read it.
struct PunktModel {
  std::unordered_set<std::u32string> abbreviations;      // lower case, without the final dot
  std::unordered_set<std::u32string> sentence_starters;  // lower case
  std::unordered_set<std::u32string> collocations;       // both types, joined by U+001F
  // Type -> flag bits: 2, 4, 8 seen in upper case at the start, inside, at an unknown place of a
  // sentence; 16, 32, 64 the same in lower case.
  std::unordered_map<std::u32string, int> orthography;
};

/// From an object with `abbrev_types`, `sent_starters` (or, as rust-punkt names them,
/// `sentence_starters`), `collocations` (pairs) and `ortho_context`.
/// Throws: Error(kInput) naming `source` when it has another form.
PunktModel parse_punkt_model(std::string_view json, std::string_view source);

/// The sentences, in order, as views into `text`. Linear in the text's length.
std::vector<std::u32string_view> punkt_sentences(const PunktModel& model, std::u32string_view text);

}  // namespace assay::evals
