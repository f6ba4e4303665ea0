#include "engine/kv_cache.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/gemm.h"

namespace assay::engine {
namespace {

std::int64_t value_width(std::int64_t head_dim) { return round_up(head_dim, 16); }
/// Elements of a head that keys are stored in: lines hold four inputs.
std::int64_t key_width(std::int64_t head_dim, KvType type) {
  return type == KvType::kFp8 ? round_up(head_dim, 4) : head_dim;
}

float row_scale(const bf16* in, std::int64_t count) {
  float amax = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = bf16_to_float(in[i]);
    amax = std::isnan(value) ? value : std::max(amax, std::abs(value));
  }
  return e4m3_scale(amax);
}

}  // namespace

KvCache::KvCache(const KvShape& shape, KvType type, std::int64_t pages)
    : shape_(shape),
      type_(type),
      pages_(pages),
      key_elements_(kPageTokens * key_width(shape.head_dim, type)),
      head_elements_(key_elements_ + kPageTokens * value_width(shape.head_dim)),
      data_(static_cast<std::size_t>(pages * shape.layers * shape.kv_heads * head_elements_ *
                                     (type == KvType::kFp8 ? 1 : 2))),
      scales_(type == KvType::kFp8 ? static_cast<std::size_t>(pages * shape.layers *
                                                              shape.kv_heads * 2 * kPageTokens) *
                                         sizeof(float)
                                   : 0) {}

std::int64_t KvCache::page_bytes(const KvShape& shape, KvType type) {
  const std::int64_t elements =
      kPageTokens * (key_width(shape.head_dim, type) + value_width(shape.head_dim));
  const std::int64_t head = type == KvType::kFp8
                                ? elements + 2 * kPageTokens * static_cast<int>(sizeof(float))
                                : 2 * elements;
  return shape.layers * shape.kv_heads * head;
}

std::int64_t KvCache::scratch_values(std::int64_t head_dim) {
  return kPageTokens * std::max(round_up(head_dim, 4), value_width(head_dim));
}

std::size_t KvCache::index(std::int64_t layer, std::int32_t page, std::int64_t head) const {
  return static_cast<std::size_t>((layer * pages_ + page) * shape_.kv_heads + head);
}

const bf16* KvCache::keys(const CpuKernels& kernels, std::int64_t layer, std::int32_t page,
                          std::int64_t head, bf16* scratch) const {
  const std::size_t at = index(layer, page, head) * static_cast<std::size_t>(head_elements_);
  if (type_ == KvType::kBf16) return data_.as<bf16>() + at;
  kernels.decode_lines(data_.data() + at, scratch, key_width(shape_.head_dim, type_) / 4,
                       kPageTokens / 16);
  return scratch;
}

const bf16* KvCache::values(const CpuKernels& kernels, std::int64_t layer, std::int32_t page,
                            std::int64_t head, std::int64_t tokens, bf16* scratch) const {
  const std::size_t at = index(layer, page, head) * static_cast<std::size_t>(head_elements_) +
                         static_cast<std::size_t>(key_elements_);
  if (type_ == KvType::kBf16) return data_.as<bf16>() + at;
  kernels.decode_lines(data_.data() + at, scratch, (tokens + 3) / 4,
                       value_width(shape_.head_dim) / 16);
  return scratch;
}

const float* KvCache::key_scales(std::int64_t layer, std::int32_t page, std::int64_t head) const {
  if (type_ != KvType::kFp8) return nullptr;
  return scales_.as<float>() + index(layer, page, head) * 2 * kPageTokens;
}
const float* KvCache::value_scales(std::int64_t layer, std::int32_t page, std::int64_t head) const {
  const float* scales = key_scales(layer, page, head);
  return scales == nullptr ? nullptr : scales + kPageTokens;
}

void KvCache::store_fp8(std::size_t at, std::int64_t layer, std::int64_t head, std::int64_t token,
                        const bf16* key, const bf16* value) {
  float* scales = scales_.as<float>() + at * 2 * kPageTokens;
  std::byte* keys = data_.data() + at * static_cast<std::size_t>(head_elements_);
  std::byte* values = keys + key_elements_;
  const std::int64_t d = shape_.head_dim;
  const std::int64_t value_groups = value_width(d) / 16;
  float key_scale = row_scale(key, d);
  float value_scale = row_scale(value, d);
  if (!static_scales_.empty()) {
    // A scale that is not finite stays: saturation would hide what made it.
    const KvScales& fixed = static_scales_[static_cast<std::size_t>(layer)];
    if (std::isfinite(key_scale)) key_scale = fixed.key[static_cast<std::size_t>(head)];
    if (std::isfinite(value_scale)) value_scale = fixed.value[static_cast<std::size_t>(head)];
  }
  scales[token] = key_scale;
  scales[kPageTokens + token] = value_scale;
  const float key_inverse = 1.0F / key_scale;
  const float value_inverse = 1.0F / value_scale;
  for (std::int64_t i = 0; i < d; ++i) {
    keys[e4m3_line_index(token, i, kPageTokens / 16)] =
        std::byte{float_to_e4m3(bf16_to_float(key[i]) * key_inverse)};
    values[e4m3_line_index(i, token, value_groups)] =
        std::byte{float_to_e4m3(bf16_to_float(value[i]) * value_inverse)};
    // The pair's other half may hold a value of an earlier sequence; it is read, times zero.
    if (token % 2 == 0) values[e4m3_line_index(i, token + 1, value_groups)] = std::byte{0};
  }
}

void KvCache::store(std::int64_t layer, std::int32_t page, std::int64_t head, std::int64_t token,
                    const bf16* key, const bf16* value) {
  const std::size_t at = index(layer, page, head);
  if (type_ == KvType::kFp8) return store_fp8(at, layer, head, token, key, value);
  const std::int64_t d = shape_.head_dim;
  bf16* k = data_.as<bf16>() + at * static_cast<std::size_t>(head_elements_);
  bf16* v = k + key_elements_ + token / 2 * value_width(d) * 2;
  for (std::int64_t i = 0; i < d; ++i) {
    k[(i / 2 * kPageTokens + token) * 2 + i % 2] = key[i];
    v[i * 2 + token % 2] = value[i];
    // As above.
    if (token % 2 == 0) v[i * 2 + 1] = 0;
  }
}

}  // namespace assay::engine
