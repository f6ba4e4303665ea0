#include "engine/ops/paged_attention.h"

#include <cmath>

namespace assay::engine {

float attention_scale(int head_dim) {
  return static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(head_dim)));
}

bool attention_tensor_fits(int heads, int kv_heads, int head_dim) {
  return (head_dim == 64 || head_dim == 128) && heads / kv_heads <= 16;
}

std::int64_t attention_row_bytes(const DeviceCache& cache, std::int64_t position) {
  const std::int64_t element = cache.scales == nullptr ? 2 : 1;
  const std::int64_t scales = cache.scales == nullptr ? 0 : 4;
  return (position + 1) * cache.kv_heads * 2 * (cache.head_dim * element + scales);
}

}  // namespace assay::engine
