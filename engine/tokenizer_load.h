// The tokenizer of a model folder, with what tokenizer_config.json says about it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "engine/tokenizer.h"
#include "engine/tokenizer_tiktoken.h"

namespace assay::engine {

struct TokenizerOptions {
  std::string file;  // "json", "model"; "" takes tokenizer.json where both are there
  SpecialNames names = SpecialNames::kLlama31;  // for tokenizer.model, which has no names
};

struct LoadedTokenizer {
  std::unique_ptr<Tokenizer> tokenizer;
  std::string source;           // path of the file it was read from
  std::string digest;           // SHA-256 of that file's content, unpacked
  std::string chat_template;    // "" when the folder has none
  std::string template_source;  // path of the file that holds it
};

/// Reads tokenizer.json or tokenizer.model (or either with .gz), then tokenizer_config.json and
/// chat_template.jinja where they are there.
/// Throws: Error(kInput) naming file and place.
LoadedTokenizer load_tokenizer(const std::filesystem::path& folder,
                               const TokenizerOptions& options = {});

}  // namespace assay::engine
