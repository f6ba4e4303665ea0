// The precision settings: what is quantized, to what, with which scales.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

/// One row of the table in settings.cc. Embedding, output matrix, norms and residual stream are
/// BF16 in every setting.
struct PrecisionSetting {
  std::string_view name;
  WeightType weights = WeightType::kBf16;
  bool tensor_scale = false;  // one weight scale a matrix; else one an output row
  bool quantize_activations =
      false;  // E4M3 with a dynamic scale per token (and shard, see engine/ops/gemm.h)
};

/// Throws: Error(kInput) for an unknown name, with a suggestion and the list. "" is the default,
/// fp8.
const PrecisionSetting& find_setting(std::string_view name);
std::vector<std::string> setting_names();

enum class KvType { kBf16, kFp8 };
/// "bf16" or "fp8". Throws: Error(kInput).
KvType find_kv_type(std::string_view name);

}  // namespace assay::engine
