// What tensor cores compute, bit by bit, for the host emulation and as an oracle of tests.
//
// Source: the bit-accurate models of arXiv 2511.10909 and 2512.07004, which agree: products are
// exact; products and C are aligned to the largest exponent among them and truncated toward zero at
// F fractional bits; their sum is exact; it is truncated toward zero to the output's mantissa. So
// the order inside one instruction does not matter, nor which operand is A.
#pragma once

namespace assay::engine::emulation {

struct TensorCore {
  int mantissa;      // bits of an operand behind the point
  int min_exponent;  // of a normal operand; subnormals keep it
  int fraction;      // F
  int out_mantissa;
};
inline constexpr TensorCore kF16Core{10, -14, 25, 23};   // Hopper, FP16 operands
inline constexpr TensorCore kBf16Core{7, -126, 25, 23};  // Hopper, BF16 operands
inline constexpr TensorCore kE4m3Core{3, -6, 13, 13};    // Hopper, E4M3 operands
// Other generations truncate elsewhere: a whole model's bits are those of one architecture.

/// c + sum over `terms` of a[i] * b[i]. `a` and `b` hold values of the operand's format.
float tensor_core_sum(const TensorCore& core, const float* a, const float* b, int terms, float c);

}  // namespace assay::engine::emulation
