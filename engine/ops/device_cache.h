// Keys and values of all sequences in device memory, in the pages of engine/page_pool.h.
#pragma once

#include <cstdint>

#include "engine/ops/host_device.h"
#include "engine/ops/number.h"
#include "engine/page_pool.h"

namespace assay::engine {

/// One layer's pages: [pages, kv_heads, 2 (keys, values), 64 tokens, head_dim], BF16, or E4M3 with
/// scales [pages, kv_heads, 2, 64]. Keys are stored after the rotation.
struct DeviceCache {
  void* data = nullptr;                  // 256-byte aligned
  float* scales = nullptr;               // null: BF16
  const float* static_scales = nullptr;  // [kv_heads, 2] of keys and values; null: dynamic
  int kv_heads = 0;
  int head_dim = 0;
  /// First element of the keys (0) or values (1) of a page and head.
  [[nodiscard]] ASSAY_HOST_DEVICE std::int64_t tile(std::int64_t page, int head, int which) const {
    return ((page * kv_heads + head) * 2 + which) * kPageTokens * head_dim;
  }
  [[nodiscard]] ASSAY_HOST_DEVICE std::int64_t scale_at(std::int64_t page, int head,
                                                        int which) const {
    return ((page * kv_heads + head) * 2 + which) * kPageTokens;
  }
};

/// The rows of a step, in device memory. Rows beyond the last one may follow, to fill a captured
/// step: they have position 0 and the scratch page.
struct DeviceRows {
  int rows = 0;
  const int* positions = nullptr;   // [rows]
  const int* sequence = nullptr;    // [rows] line of page_table
  const int* page_table = nullptr;  // [sequences, table_ld]
  int table_ld = 0;
};

}  // namespace assay::engine
