// Matrices that a checkpoint stores quantized: codes, scales and zero points read as they stand,
// never recomputed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/model.h"
#include "engine/quant_config.h"
#include "engine/weight_codes.h"

namespace assay::engine {

/// Opens module `module` of `rows` x `cols`. Tensors were checked for types and shapes. Checks
/// every scale: finite and positive, E8M0 within what BF16 values can hold, g_idx without a
/// permutation. Codes that are NaN are found when their row is read.
/// Throws: Error(kInput) that names the tensor. The checkpoint must outlive the result.
std::unique_ptr<CodeSource> open_stored_codes(const Checkpoint& checkpoint,
                                              const StoredScheme& scheme, const std::string& module,
                                              std::int64_t rows, std::int64_t cols);

/// Element `index` of a floating-point scale tensor (F32, BF16, F16) as FP32.
float scale_value(const TensorView& tensor, std::int64_t index);

/// A positive, finite scalar. Throws: Error(kInput) that names the tensor.
float checked_scale(const TensorView& tensor, std::int64_t index, const std::string& folder);

/// Finite and positive scales of keys and values of one layer, one a KV head, from whichever of the
/// known names stands in the checkpoint; empty when none does.
KvScales stored_kv_scales(const Checkpoint& checkpoint, std::int64_t layer, std::int64_t kv_heads);
/// Names that the scales of keys and values may have, without the layer.
const std::vector<std::string>& kv_scale_names();

}  // namespace assay::engine
