// Writes a checkpoint in a precision setting, in the compressed-tensors format that public engines
// load: safetensors files, config.json with its quantization_config, the tokenizer's files as they
// are. Loaded with the setting "checkpoint" it gives the bits of the setting on the fly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/checkpoint.h"
#include "engine/model.h"
#include "engine/settings.h"

namespace assay::engine {

struct WrittenCheckpoint {
  std::int64_t bytes = 0;      // of all tensors
  std::int64_t quantized = 0;  // matrices
  std::int64_t kept = 0;       // tensors copied as they are
  std::int64_t files = 0;      // of weights
};

/// `source` gives values, input scales and scales of keys and values (written where there are
/// some). `folder` must not exist or be empty.
/// Throws: Error(kInput) for a setting that the format cannot hold, Error(kEnvironment) for files
/// that cannot be written.
WrittenCheckpoint write_quantized(const Checkpoint& checkpoint, const WeightSource& source,
                                  const PrecisionSetting& setting,
                                  const std::filesystem::path& folder, int threads);

/// The `quantization_config` of the setting. REQUIRES: formats[i] is of modules[i].
Json quantization_config(const std::vector<std::string>& modules,
                         const std::vector<MatrixFormat>& formats, bool kv_scales);

}  // namespace assay::engine
