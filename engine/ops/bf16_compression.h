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

#include "engine/ops/number.h"

namespace assay::engine {

/// A weight whose exponent has no code.
struct Bf16Exception {
  std::uint32_t position = 0;  // among the decoded values of its panel
  bf16 value = 0;
};

/// Exponents top .. top - 14 have the codes 0 .. 14.
inline constexpr unsigned kExponentCodes = 15;
inline constexpr std::int64_t kBf16QuadValues = 256;
inline constexpr std::int64_t kBf16QuadBytes = 384;
/// Code of the exponent 0: zeros and subnormal values.
inline constexpr unsigned kZeroExponent = 15;

/// The bytes of each code's exponent in a BF16 value, sign and mantissa zero.
struct Bf16ExponentBytes {
  alignas(16) std::uint8_t high[16];
  alignas(16) std::uint8_t low[16];
};

/// What must be known of a panel before it is compressed.
struct Bf16Survey {
  std::uint8_t top = 0;         // the largest exponent
  std::int64_t exceptions = 0;  // how many
};

/// The value at `position` of a panel's decoded values, exceptions aside (they read as anything).
bf16 compressed_bf16_at(const std::byte* panel, std::uint8_t top, std::int64_t position);

}  // namespace assay::engine
