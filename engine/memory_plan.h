// How much memory a model needs: for each precision setting and tensor-parallel degree.
// Formulas only; what an engine really takes is measured by the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/model_config.h"

namespace assay::engine {

/// How a setting stores the seven matrices of a layer. Embedding, output matrix and norms are BF16.
struct StorageFormat {
  std::string_view setting;
  double bytes_per_weight = 2;
  std::int64_t group_rows = 0;  // one scale for each group_rows x group_cols; 0: a whole column
  std::int64_t group_cols = 0;  // 0: a whole row
  double bytes_per_scale = 0;   // scale and zero point; 0: no scales
};

/// All settings of the product, `bf16` first.
std::span<const StorageFormat> storage_formats();

/// Bytes on one rank.
struct MemoryNeed {
  std::int64_t weights = 0;
  std::int64_t kv_per_token_bf16 = 0;
  std::int64_t kv_per_token_fp8 = 0;
  std::int64_t buffers = 0;  // activations of one step of `step_tokens`, and a chunk of logits
};

/// Nothing when `tp` does not divide the query heads. The embedding is on every rank, the output
/// matrix is cut by rows; a tied one is the embedding. REQUIRES: tp >= 1.
std::optional<MemoryNeed> memory_need(const ModelConfig& config, const StorageFormat& format,
                                      std::int64_t tp, std::int64_t step_tokens);

}  // namespace assay::engine
