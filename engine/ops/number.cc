#include "engine/ops/number.h"

#include <cmath>

namespace assay::engine {

e4m3 float_to_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint32_t>((bits >> 24) & 0x80U);
  std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<e4m3>(sign | 0x7FU);
  constexpr auto kMax = std::bit_cast<std::uint32_t>(kE4m3Max);
  if (magnitude > kMax) magnitude = kMax;
  constexpr auto kMinNormal = std::bit_cast<std::uint32_t>(0x1p-6F);
  if (magnitude >= kMinNormal) {
    magnitude += 0x7FFFFU + ((magnitude >> 20) & 1U);
    return static_cast<e4m3>(sign | ((magnitude >> 20) - ((127U - 7U) << 3)));
  }
  // The ulp of 2^14 is 2^-9, the step of the subnormals: the addition rounds to their grid.
  const float shifted = std::bit_cast<float>(magnitude) + 0x1p14F;
  return static_cast<e4m3>(sign | (std::bit_cast<std::uint32_t>(shifted) & 0xFU));
}

float e4m3_to_float(e4m3 value) { return bf16_to_float(e4m3_to_bf16(value)); }

bf16 e4m3_to_bf16(e4m3 value) {
  constexpr bf16 kSubnormals[8] = {0, 0x3B00, 0x3B80, 0x3BC0, 0x3C00, 0x3C20, 0x3C40, 0x3C60};
  const unsigned magnitude = value & 0x7FU;
  const unsigned sign = (value & 0x80U) << 8;
  if (magnitude == 0x7FU) return static_cast<bf16>(sign | 0x7FC0U);
  if (magnitude < 8) return static_cast<bf16>(sign | kSubnormals[magnitude]);
  return static_cast<bf16>(sign | ((magnitude << 4) + (120U << 7)));
}

float e4m3_scale(float amax) {
  const float scale = amax / kE4m3Max;
  return scale < 0x1p-40F ? 0x1p-40F : scale;
}

float half_to_float(std::uint16_t value) {
  const auto sign = static_cast<std::uint32_t>(value & 0x8000U) << 16;
  const std::uint32_t exponent = (value >> 10) & 0x1FU;
  const std::uint32_t mantissa = value & 0x3FFU;
  if (exponent == 31) {
    return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  }
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
}

e5m2 float_to_e5m2(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint32_t>((bits >> 24) & 0x80U);
  std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<e5m2>(sign | 0x7FU);
  constexpr auto kMax = std::bit_cast<std::uint32_t>(kE5m2Max);
  if (magnitude > kMax) magnitude = kMax;
  constexpr auto kMinNormal = std::bit_cast<std::uint32_t>(0x1p-14F);
  if (magnitude >= kMinNormal) {
    magnitude += 0xFFFFFU + ((magnitude >> 21) & 1U);
    return static_cast<e5m2>(sign | ((magnitude >> 21) - ((127U - 15U) << 2)));
  }
  // The ulp of 2^7 is 2^-16, the step of the subnormals: the addition rounds to their grid.
  const float shifted = std::bit_cast<float>(magnitude) + 0x1p7F;
  return static_cast<e5m2>(sign | (std::bit_cast<std::uint32_t>(shifted) & 0x7U));
}

/// An E5M2 code is the upper half of the IEEE half of the same value.
float e5m2_to_float(e5m2 value) { return half_to_float(static_cast<std::uint16_t>(value << 8)); }

float e8m0_to_float(e8m0 value) {
  if (value == 255) return std::nanf("");
  if (value == 0) return 0x1p-127F;
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 23);
}

e8m0 float_to_e8m0_floor(float value) {
  if (!(value >= 0) || std::isinf(value)) return 255;
  // The biased exponent is the code; that of subnormals is zero.
  return static_cast<e8m0>(std::bit_cast<std::uint32_t>(value) >> 23);
}

e2m1 float_to_e2m1(float value) {
  const unsigned sign = std::signbit(value) && !std::isnan(value) ? 8U : 0U;
  const float magnitude = std::fabs(value);
  // Halfway points; the even code takes a tie: 0.25 -> 0, 0.75 -> 1, 1.25 -> 1, 1.75 -> 2, ...
  constexpr float kMiddle[7] = {0.25F, 0.75F, 1.25F, 1.75F, 2.5F, 3.5F, 5.0F};
  if (std::isnan(value)) return 7;
  unsigned code = 0;
  while (code < 7 && (magnitude > kMiddle[code] || (magnitude == kMiddle[code] && code % 2 == 1))) {
    ++code;
  }
  return static_cast<e2m1>(sign | code);
}

float e2m1_to_float(e2m1 value) {
  constexpr float kValues[8] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  const float magnitude = kValues[value & 7U];
  return (value & 8U) != 0 ? -magnitude : magnitude;
}

}  // namespace assay::engine
