// Reads tokenizer.model as Meta publishes it for Llama 3: one "base64(bytes) rank" a line. The file
// has no special tokens; their names are those of a release.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/tokenizer.h"

namespace assay::engine {

/// Names of the 256 ids after the ranks.
enum class SpecialNames {
  kLlama31,  // Llama 3.1, 3.2, 3.3
  kLlama30,
  kMeta,  // Meta's own Python package
};

/// "llama-3.1", "llama-3.0" or "meta". Throws: Error(kInput) for another name.
SpecialNames special_names_from(std::string_view name);

/// `source` names the file in errors. Throws: Error(kInput).
std::unique_ptr<Tokenizer> read_tokenizer_model(std::string_view text, const std::string& source,
                                                SpecialNames names);

}  // namespace assay::engine
