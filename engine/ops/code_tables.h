// The two bytes of the BF16 values of short codes: tables for kernels that look up 16 or 128 bytes
// at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/ops/number.h"

namespace assay::engine {

template <std::size_t kCount>
struct Bf16Bytes {
  alignas(64) std::uint8_t high[kCount];
  alignas(64) std::uint8_t low[kCount];
};

template <std::size_t kCount, typename F>
constexpr Bf16Bytes<kCount> bf16_bytes(F value) {
  Bf16Bytes<kCount> out{};
  for (unsigned i = 0; i < kCount; ++i) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, static_cast<float>(value(i)));
    out.high[i] = static_cast<std::uint8_t>(bits >> 24U);
    out.low[i] = static_cast<std::uint8_t>(bits >> 16U & 0xFFU);
  }
  return out;
}

/// Magnitudes of integers; BF16 holds all up to 256.
inline constexpr Bf16Bytes<16> kInteger16 = bf16_bytes<16>([](unsigned i) { return i; });
inline constexpr Bf16Bytes<128> kInteger128 = bf16_bytes<128>([](unsigned i) { return i; });
/// E2M1: a sign, then 0, 0.5, 1, 1.5, 2, 3, 4, 6.
inline constexpr Bf16Bytes<16> kE2m1Bytes = bf16_bytes<16>([](unsigned i) {
  constexpr float kMagnitudes[8] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  return i < 8 ? kMagnitudes[i] : -kMagnitudes[i - 8];
});

}  // namespace assay::engine
