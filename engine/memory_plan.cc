#include "engine/memory_plan.h"

#include <algorithm>

namespace assay::engine {
namespace {

constexpr std::int64_t kBf16 = 2;
constexpr std::int64_t kFp32 = 4;
constexpr std::int64_t kLogitRows = 256;  // positions whose logits exist at one time

constexpr StorageFormat kFormats[] = {
    {"bf16", 2, 0, 0, 0},
    {"fp8", 1, 1, 0, 4},
    {"fp8-tensor", 1, 0, 0, 4},
    {"fp8-static", 1, 0, 0, 4},
    {"fp8-block", 1, 128, 128, 4},
    {"w8a16-fp8", 1, 1, 0, 4},
    {"int8", 1, 1, 0, 4},
    {"int4-g128", 0.5, 1, 128, 2.5},  // 16-bit scale and 4-bit zero point
    {"nvfp4", 0.5, 1, 16, 1},
    {"mxfp4", 0.5, 1, 32, 1},
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// A matrix of which a rank holds rows x cols.
double matrix_bytes(std::int64_t rows, std::int64_t cols, const StorageFormat& format) {
  const std::int64_t row_groups = format.group_rows == 0 ? 1 : divide_up(rows, format.group_rows);
  const std::int64_t col_groups = format.group_cols == 0 ? 1 : divide_up(cols, format.group_cols);
  return static_cast<double>(rows) * static_cast<double>(cols) * format.bytes_per_weight +
         static_cast<double>(row_groups * col_groups) * format.bytes_per_scale;
}

}  // namespace

std::span<const StorageFormat> storage_formats() { return kFormats; }

std::optional<MemoryNeed> memory_need(const ModelConfig& config, const StorageFormat& format,
                                      std::int64_t tp, std::int64_t step_tokens) {
  if (config.heads % tp != 0) return std::nullopt;
  const std::int64_t h = config.hidden;
  const std::int64_t q = config.q_width() / tp;
  const std::int64_t kv_heads = divide_up(config.kv_heads, tp);  // replicated beyond one a rank
  const std::int64_t kv = kv_heads * config.head_dim;
  const std::int64_t i = divide_up(config.intermediate, tp);
  double layer = matrix_bytes(q, h, format) + 2 * matrix_bytes(kv, h, format) +
                 matrix_bytes(h, q, format) + 2 * matrix_bytes(i, h, format) +
                 matrix_bytes(h, i, format) + static_cast<double>(2 * h * kBf16);
  if (config.attention_bias) layer += static_cast<double>((q + 2 * kv + h) * kBf16);
  if (config.mlp_bias) layer += static_cast<double>((2 * i + h) * kBf16);
  const std::int64_t embedding = config.vocab * h * kBf16;
  const std::int64_t output = config.tied ? 0 : divide_up(config.vocab, tp) * h * kBf16;
  MemoryNeed need;
  need.weights = static_cast<std::int64_t>(layer * static_cast<double>(config.layers)) + embedding +
                 output + h * kBf16;
  need.kv_per_token_fp8 = 2 * config.layers * kv;
  need.kv_per_token_bf16 = need.kv_per_token_fp8 * kBf16;
  const bool quantized = format.bytes_per_scale > 0;
  need.buffers = step_tokens * (2 * h * kBf16 + (q + 2 * kv) * kBf16 + i * kBf16 +
                                (quantized ? std::max(h, i) : 0)) +
                 std::min(step_tokens, kLogitRows) * divide_up(config.vocab, tp) * kFp32;
  return need;
}

}  // namespace assay::engine
