// The number formats of the engine and their conversions from and to FP32.
// E4M3 is the "FN" variant of the OCP 8-bit floating point specification: 1-4-3, bias 7, largest
// value 448, NaN 0x7F and 0xFF, no infinity. Every E4M3 value is exactly a BF16 value.
// E5M2 (same specification): 1-5-2, bias 15, largest 57344, infinities and NaN as in IEEE types.
// E8M0 (OCP microscaling): 2^(code - 127), 255 is NaN. E2M1 (the same): 0, 0.5, 1, 1.5, 2, 3, 4, 6
// by the lower three bits, the sign above them.
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

using e5m2 = std::uint8_t;
using e8m0 = std::uint8_t;
using e2m1 = std::uint8_t;  // lower four bits

constexpr float kE5m2Max = 57344.0F;
constexpr float kE2m1Max = 6.0F;
constexpr float kInt8Max = 127.0F;

/// Rounds to nearest even and saturates; NaN stays NaN.
e5m2 float_to_e5m2(float value);
float e5m2_to_float(e5m2 value);
/// The power of two; NaN for 255. 2^-127 is subnormal.
float e8m0_to_float(e8m0 value);
/// The largest power of two that is not above `value`; 0 for what is smaller than 2^-127, and for
/// zero; 255 for a NaN, an infinity or a negative number.
e8m0 float_to_e8m0_floor(float value);
/// Rounds to nearest, ties to the even code, and saturates at 6; NaN becomes +6, as E2M1 has none.
e2m1 float_to_e2m1(float value);
float e2m1_to_float(e2m1 value);

}  // namespace assay::engine
