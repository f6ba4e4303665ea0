#include "engine/cuda/emulation/tensor_core.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace assay::engine::emulation {
namespace {

/// significand * 2^(exponent - mantissa bits); 0 has no exponent.
struct Number {
  std::int64_t significand = 0;  // with the sign
  int exponent = -10000;
};

Number decode(float value, int mantissa, int min_exponent) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const int exponent = static_cast<int>(bits >> 23 & 0xFFU) - 127;
  if (exponent == -127) return {};  // subnormals of FP32 are zero here
  const int kept = std::max(exponent, min_exponent);
  const auto whole = static_cast<std::int64_t>((bits & 0x7FFFFFU) | 0x800000U);
  const std::int64_t significand = whole >> (23 - mantissa + kept - exponent);
  return {(bits >> 31) != 0 ? -significand : significand, kept};
}

/// significand * 2^shift, truncated toward zero.
std::int64_t shifted(std::int64_t significand, int shift) {
  if (shift >= 0) return significand * (std::int64_t{1} << std::min(shift, 40));
  if (shift < -62) return 0;
  const std::int64_t magnitude = std::abs(significand) >> -shift;
  return significand < 0 ? -magnitude : magnitude;
}

}  // namespace

float tensor_core_sum(const TensorCore& core, const float* a, const float* b, int terms, float c) {
  constexpr int kMostTerms = 64;
  constexpr int kFloatMantissa = 23;
  Number products[kMostTerms];
  const Number start = decode(c, kFloatMantissa, -126);
  int top = start.exponent;
  bool finite = std::isfinite(c);
  float loose = c;  // NaN and infinity follow ordinary arithmetic
  for (int i = 0; i < terms; ++i) {
    finite = finite && std::isfinite(a[i]) && std::isfinite(b[i]);
    loose += a[i] * b[i];
    if (!finite) continue;
    const Number x = decode(a[i], core.mantissa, core.min_exponent);
    const Number y = decode(b[i], core.mantissa, core.min_exponent);
    if (x.significand == 0 || y.significand == 0) continue;
    products[i] = {x.significand * y.significand, x.exponent + y.exponent};
    top = std::max(top, products[i].exponent);
  }
  if (!finite) return loose;
  if (top == Number{}.exponent) return 0;
  std::int64_t sum =
      shifted(start.significand, core.fraction - kFloatMantissa - (top - start.exponent));
  for (int i = 0; i < terms; ++i) {
    if (products[i].significand == 0) continue;
    sum += shifted(products[i].significand,
                   core.fraction - 2 * core.mantissa - (top - products[i].exponent));
  }
  if (sum == 0) return 0;
  const auto magnitude = static_cast<std::uint64_t>(std::abs(sum));
  const int bits = 64 - __builtin_clzll(magnitude);
  const int drop = std::max(0, bits - (core.out_mantissa + 1));
  const auto kept = static_cast<double>(magnitude >> drop << drop);
  const auto value = static_cast<float>(std::ldexp(kept, top - core.fraction));
  return sum < 0 ? -value : value;
}

}  // namespace assay::engine::emulation
