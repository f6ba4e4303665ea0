// Keys and values of all sequences in pages of 64 tokens; which page is whose, engine/page_pool.h
// knows.
//
// A page of one layer and KV head holds keys as [d / 2][64 tokens][2] and values as
// [32 token pairs][d padded to 16][2], both BF16: the layout that the inner product of
// engine/ops/cpu_kernels.h streams. With an FP8 cache the entries are E4M3 values (kept as BF16,
// which holds them exactly) with one scale per token and head.
#pragma once

#include <cstdint>

#include "engine/model_config.h"
#include "engine/ops/memory.h"
#include "engine/ops/number.h"
#include "engine/page_pool.h"
#include "engine/settings.h"

namespace assay::engine {

class KvCache {
 public:
  KvCache(const ModelConfig& config, KvType type, std::int64_t pages);

  [[nodiscard]] static std::int64_t page_bytes(const ModelConfig& config);
  [[nodiscard]] KvType type() const { return type_; }
  [[nodiscard]] std::int64_t pages() const { return pages_; }

  /// Keys, values and scales of one page, layer and KV head.
  [[nodiscard]] bf16* keys(std::int64_t layer, std::int32_t page, std::int64_t head);
  [[nodiscard]] bf16* values(std::int64_t layer, std::int32_t page, std::int64_t head);
  [[nodiscard]] float* key_scales(std::int64_t layer, std::int32_t page, std::int64_t head);
  [[nodiscard]] float* value_scales(std::int64_t layer, std::int32_t page, std::int64_t head);
  /// Stores the key and value of one token, quantizing them for an FP8 cache.
  void store(std::int64_t layer, std::int32_t page, std::int64_t head, std::int64_t token,
             const bf16* key, const bf16* value);

 private:
  [[nodiscard]] std::size_t offset(std::int64_t layer, std::int32_t page, std::int64_t head) const;

  std::int64_t kv_heads_;
  std::int64_t head_dim_;
  std::int64_t layers_;
  KvType type_;
  std::int64_t pages_;
  std::size_t head_elements_;  // BF16 values of a page and head
  LargeBuffer data_;
  LargeBuffer scales_;
};

}  // namespace assay::engine
