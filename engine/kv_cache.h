// Keys and values of one rank in pages of 64 tokens; which page is whose, engine/page_pool.h knows.
//
// A page of one layer and KV head holds keys as [d / 2][64 tokens][2] and values as
// [32 token pairs][d padded to 16][2], both BF16: the layout that the inner product of
// engine/ops/cpu_kernels.h streams. An FP8 cache holds E4M3 codes in the lines of a packed matrix
// (engine/ops/gemm.h), keys as [d / 4][4] lines whose rows are tokens, values as
// [16][d padded to 16, by 16] lines whose rows are elements of the head, with one scale per token
// and head.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/ops/memory.h"
#include "engine/ops/number.h"
#include "engine/page_pool.h"
#include "engine/settings.h"

namespace assay::engine {

/// Static scales of a layer's FP8 cache, one for each KV head of the whole model; empty: dynamic.
struct KvScales {
  std::vector<float> key;
  std::vector<float> value;
};

struct KvShape {
  std::int64_t layers = 0;
  std::int64_t kv_heads = 0;  // of the rank
  std::int64_t head_dim = 0;
};

/// Different (layer, head, page) may be used by different threads at once.
class KvCache {
 public:
  KvCache(const KvShape& shape, KvType type, std::int64_t pages);

  /// Bytes of one page over all layers and heads, scales included.
  [[nodiscard]] static std::int64_t page_bytes(const KvShape& shape, KvType type);
  [[nodiscard]] KvType type() const { return type_; }
  /// FP8 with static scales from now on: of each layer, one a KV head of the rank. Values beyond
  /// 448 times them saturate.
  void set_static_scales(std::vector<KvScales> scales) { static_scales_ = std::move(scales); }

  /// BF16 values that `keys` and `values` need as `scratch`.
  [[nodiscard]] static std::int64_t scratch_values(std::int64_t head_dim);
  /// Keys of one page, layer and KV head in the BF16 layout above: in place, or for an FP8 cache
  /// decoded into `scratch`.
  [[nodiscard]] const bf16* keys(const CpuKernels& kernels, std::int64_t layer, std::int32_t page,
                                 std::int64_t head, bf16* scratch) const;
  /// The same of the values of the page's first `tokens` tokens.
  [[nodiscard]] const bf16* values(const CpuKernels& kernels, std::int64_t layer, std::int32_t page,
                                   std::int64_t head, std::int64_t tokens, bf16* scratch) const;
  /// [64] scales; null for a BF16 cache.
  [[nodiscard]] const float* key_scales(std::int64_t layer, std::int32_t page,
                                        std::int64_t head) const;
  [[nodiscard]] const float* value_scales(std::int64_t layer, std::int32_t page,
                                          std::int64_t head) const;
  /// Stores the key and value of one token, quantizing them for an FP8 cache.
  void store(std::int64_t layer, std::int32_t page, std::int64_t head, std::int64_t token,
             const bf16* key, const bf16* value);

 private:
  [[nodiscard]] std::size_t index(std::int64_t layer, std::int32_t page, std::int64_t head) const;
  void store_fp8(std::size_t at, std::int64_t layer, std::int64_t head, std::int64_t token,
                 const bf16* key, const bf16* value);

  KvShape shape_;
  KvType type_;
  std::int64_t pages_;
  std::int64_t key_elements_;   // of a page and head
  std::int64_t head_elements_;  // keys and values
  LargeBuffer data_;
  LargeBuffer scales_;                   // FP8: [layer, page, head][keys, values][64]
  std::vector<KvScales> static_scales_;  // of each layer; empty: dynamic
};

}  // namespace assay::engine
