#include "engine/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <vector>


namespace assay::engine {
namespace {

std::int64_t value_width(std::int64_t head_dim) { return round_up(head_dim, 16); }

std::int64_t elements(std::int64_t head_dim) {
  return kPageTokens * (head_dim + value_width(head_dim));
}

/// E4M3 values of a row and their scale.
float quantize_row(const bf16* in, std::int64_t count, bf16* out) {
  float amax = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = bf16_to_float(in[i]);
    amax = std::isnan(value) ? value : std::max(amax, std::abs(value));
  }
  const float scale = e4m3_scale(amax);
  const float inverse = 1.0F / scale;
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = e4m3_to_bf16(float_to_e4m3(bf16_to_float(in[i]) * inverse));
  }
  return scale;
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, KvType type, std::int64_t pages)
    : kv_heads_(config.kv_heads),
      head_dim_(config.head_dim),
      layers_(config.layers),
      type_(type),
      pages_(pages),
      head_elements_(static_cast<std::size_t>(elements(config.head_dim))),
      data_(static_cast<std::size_t>(pages * page_bytes(config))),
      scales_(type == KvType::kFp8 ? static_cast<std::size_t>(pages * config.layers *
                                                              config.kv_heads * 2 * kPageTokens) *
                                         sizeof(float)
                                   : 0) {}

std::int64_t KvCache::page_bytes(const ModelConfig& config) {
  return config.layers * config.kv_heads * elements(config.head_dim) * 2;
}

std::size_t KvCache::offset(std::int64_t layer, std::int32_t page, std::int64_t head) const {
  return static_cast<std::size_t>((layer * pages_ + page) * kv_heads_ + head);
}

bf16* KvCache::keys(std::int64_t layer, std::int32_t page, std::int64_t head) {
  return data_.as<bf16>() + offset(layer, page, head) * head_elements_;
}
bf16* KvCache::values(std::int64_t layer, std::int32_t page, std::int64_t head) {
  return keys(layer, page, head) + kPageTokens * head_dim_;
}
float* KvCache::key_scales(std::int64_t layer, std::int32_t page, std::int64_t head) {
  if (type_ != KvType::kFp8) return nullptr;
  return scales_.as<float>() + offset(layer, page, head) * 2 * kPageTokens;
}
float* KvCache::value_scales(std::int64_t layer, std::int32_t page, std::int64_t head) {
  float* scales = key_scales(layer, page, head);
  return scales == nullptr ? nullptr : scales + kPageTokens;
}

void KvCache::store(std::int64_t layer, std::int32_t page, std::int64_t head, std::int64_t token,
                    const bf16* key, const bf16* value) {
  std::vector<bf16> quantized;
  if (type_ == KvType::kFp8) {
    quantized.resize(static_cast<std::size_t>(2 * head_dim_));
    key_scales(layer, page, head)[token] = quantize_row(key, head_dim_, quantized.data());
    value_scales(layer, page, head)[token] =
        quantize_row(value, head_dim_, quantized.data() + head_dim_);
    key = quantized.data();
    value = quantized.data() + head_dim_;
  }
  bf16* k = keys(layer, page, head);
  bf16* v = values(layer, page, head) + token / 2 * value_width(head_dim_) * 2;
  for (std::int64_t i = 0; i < head_dim_; ++i) {
    k[(i / 2 * kPageTokens + token) * 2 + i % 2] = key[i];
    v[i * 2 + token % 2] = value[i];
    // The pair's other half may hold a value of an earlier sequence; it is read, times zero.
    if (token % 2 == 0) v[i * 2 + 1] = 0;
  }
}

}  // namespace assay::engine
