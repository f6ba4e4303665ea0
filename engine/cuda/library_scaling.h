// How the scales of a product join the sums of cuBLASLt, which knows some of them and some
// architectures only. Pure functions: tested without a device.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/ops/device_gemm.h"

namespace assay::engine {

enum class Scaling : std::uint8_t {
  kNone,     // there are none, and no bias
  kRowwise,  // the library multiplies by the row's scale and the token's (OUTER_VEC_32F)
  kKernel,   // sums leave the library as they are; scale_outputs_cuda does the rest
  kBlocks,   // the library multiplies the sum of each 128 products (VEC128_32F on both sides)
  kOwn,      // not the library: this project's kernel
};

/// Operands of one type without scales inside the sums.
bool is_plain_product(const DeviceMatrix& w, bool a_is_e4m3);
/// The ways that the library may take for a product, best guess first. Empty: it has none.
std::vector<Scaling> library_scalings(const DeviceGemmArgs& args, int capability);
/// Tokens of the library's problem: with scales of blocks a multiple of 8.
int library_tokens(const DeviceGemmArgs& args, Scaling scaling);

}  // namespace assay::engine
