// The number formats of the engine: BF16 and E4M3, and their conversions from and to FP32.
// E4M3 is the "FN" variant of the OCP 8-bit floating point specification: 1-4-3, bias 7, largest
// value 448, NaN 0x7F and 0xFF, no infinity. Every E4M3 value is exactly a BF16 value.
#pragma once

#include <bit>
#include <cstdint>

namespace assay::engine {

using bf16 = std::uint16_t;  // the upper half of an FP32
using e4m3 = std::uint8_t;

constexpr float kE4m3Max = 448.0F;

// Always inlined: a copy compiled for one instruction set must not serve the whole program.
[[gnu::always_inline]] constexpr float bf16_to_float(bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

/// Round to nearest, ties to even; NaN stays NaN, values beyond the range become infinite.
[[gnu::always_inline]] constexpr bf16 float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<bf16>((bits >> 16) | 0x40U);
  return static_cast<bf16>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// Rounds to nearest even and saturates: the result of `cvt.rn.satfinite.e4m3`.
e4m3 float_to_e4m3(float value);
float e4m3_to_float(e4m3 value);
/// The same value as BF16, which is exact.
bf16 e4m3_to_bf16(e4m3 value);

/// Scale of a group with largest magnitude `amax`: amax / 448, at least 2^-40 so that its
/// reciprocal is finite. NaN for a NaN.
float e4m3_scale(float amax);

/// IEEE half precision, for checkpoints that store it.
float half_to_float(std::uint16_t value);

}  // namespace assay::engine
