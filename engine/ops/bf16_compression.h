// BF16 weights in 12 bits, without loss, so that a product that waits for memory reads a quarter
// less. Eight bits of a weight are its sign and mantissa. Four are the distance of its exponent to
// the largest of its panel: trained (and normally distributed) weights have few others. Those that
// have are exceptions in a list, put in their place after a quad was decoded.
//
// Arithmetic does not know of it: every kernel decodes to the same BF16 pairs as of a matrix that
// is not compressed. That exponents of weights carry less than three bits is known from DFloat11
// (arXiv 2504.11651), which codes them with variable length.
//
// A quad is four inputs of the 64 rows of a panel, [2 pairs][4 groups][16 rows][2] when decoded.
// Compressed it is 4 lines of 64 bytes, a line of 16 rows (engine/ops/gemm.h has the order of a
// line's values), each sign << 7 | mantissa, and then 2 lines of exponent codes: byte i of line n
// holds value i of group 2 n in its low half and of group 2 n + 1 in its high half.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/ops/number.h"

namespace assay::engine {

/// A weight whose exponent has no code.
struct Bf16Exception {
  std::uint32_t position = 0;  // among the decoded values of its panel
  bf16 value = 0;
};

inline constexpr std::int64_t kBf16QuadValues = 256;
inline constexpr std::int64_t kBf16QuadBytes = 384;
/// Code of the exponent 0: zeros and subnormal values.
inline constexpr unsigned kZeroExponent = 15;

/// The bytes of each code's exponent in a BF16 value, sign and mantissa zero.
struct Bf16ExponentBytes {
  alignas(16) std::uint8_t high[16];
  alignas(16) std::uint8_t low[16];
};
constexpr Bf16ExponentBytes bf16_exponent_bytes(std::uint8_t top) {
  Bf16ExponentBytes out{};
  for (unsigned code = 0; code < 16; ++code) {
    const unsigned exponent = code == kZeroExponent || code > top ? 0 : top - code;
    out.high[code] = static_cast<std::uint8_t>(exponent >> 1U);
    out.low[code] = static_cast<std::uint8_t>(exponent << 7U & 0x80U);
  }
  return out;
}

/// What compress_bf16 needs to know of a panel.
struct Bf16Survey {
  std::uint8_t top = 0;         // the largest exponent
  std::int64_t exceptions = 0;  // how many
};

/// REQUIRES: whole quads, here and below.
Bf16Survey survey_bf16(std::span<const bf16> panel);
/// Writes kBf16QuadBytes for each quad, and the panel's exceptions in ascending order.
void compress_bf16(std::span<const bf16> panel, std::uint8_t top, std::byte* out,
                   Bf16Exception* exceptions);
/// The value at `position` of a panel's decoded values, exceptions aside (they read as anything).
bf16 compressed_bf16_at(const std::byte* panel, std::uint8_t top, std::int64_t position);

}  // namespace assay::engine
