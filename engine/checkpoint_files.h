// Which files of a folder make up a checkpoint, with a plain word for what is usually wrong.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace assay::engine {

/// Files whose bytes are part of a checkpoint's identity, beside its tensors.
inline constexpr const char* kIdentityFiles[] = {
    "config.json",         "generation_config.json", "hf_quant_config.json",
    "tokenizer.json",      "tokenizer_config.json",  "tokenizer.model",
    "chat_template.jinja", "tokenizer.json.gz",      "tokenizer.model.gz",
};

struct ShardFile {
  std::filesystem::path path;
  /// The tensors that an index expects in this file; nothing when there is no index.
  std::optional<std::vector<std::string>> tensors;
};

/// Throws: Error(kInput) unless `folder` is a folder with a config.json.
void check_model_folder(const std::filesystem::path& folder);

/// The safetensors files of a checkpoint. Every one exists and lies inside the folder, or is a link
/// of a content-addressed cache. Throws: Error(kInput) naming what is missing or not accepted.
std::vector<ShardFile> find_shards(const std::filesystem::path& folder);

}  // namespace assay::engine
