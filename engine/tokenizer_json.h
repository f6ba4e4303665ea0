// Reads tokenizer.json of Hugging Face's tokenizers library, strictly: a component that is not
// implemented exactly is refused by its name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/tokenizer.h"

namespace assay::engine {

/// `source` names the file in errors. Throws: Error(kInput).
std::unique_ptr<Tokenizer> read_tokenizer_json(std::string_view text, const std::string& source);

}  // namespace assay::engine
