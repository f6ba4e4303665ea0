// The wrappers of engine/cuda/mma.cuh on the host.
#pragma once

#include <cstring>

#include "engine/cuda/emulation/async_copy.h"
#include "engine/cuda/emulation/device.h"
#include "engine/cuda/emulation/tensor_core.h"

namespace assay::engine {
namespace emulation {

/// FP32 value of one half of a packed pair.
inline float f16_half(unsigned pair, int half) {
  return half_to_float(static_cast<std::uint16_t>(pair >> (16 * half)));
}
inline float bf16_half(unsigned pair, int half) {
  return bf16_to_float(static_cast<bf16>(pair >> (16 * half)));
}

/// Lane l holds of A rows l / 4 and l / 4 + 8, of B column l / 4, each at k 2 (l % 4) + {0, 1} and
/// 8 more; of D rows as of A and columns 2 (l % 4) + {0, 1}.
template <typename Half>
void mma_16x8x16(const TensorCore& core, const Half& half, float (&d)[4], const unsigned (&a)[4],
                 const unsigned (&b)[2]) {
  struct Fragment {
    unsigned a[4];
    unsigned b[2];
  };
  Fragment mine{};
  std::memcpy(mine.a, a, sizeof(mine.a));
  std::memcpy(mine.b, b, sizeof(mine.b));
  const std::byte* all = exchange(&mine, sizeof(mine));
  Fragment lanes[32];
  for (unsigned i = 0; i < 32; ++i) std::memcpy(&lanes[i], all + i * kSlotBytes, sizeof(Fragment));
  const unsigned lane = here().rank % 32;
  for (unsigned out = 0; out < 4; ++out) {
    const unsigned row = lane / 4;                   // of A's lower or upper half
    const unsigned column = lane % 4 * 2 + out % 2;  // of B
    float x[16];
    float y[16];
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned from = k % 8 / 2;
      x[k] = half(lanes[row * 4 + from].a[out / 2 + k / 8 * 2], static_cast<int>(k % 2));
      y[k] = half(lanes[column * 4 + from].b[k / 8], static_cast<int>(k % 2));
    }
    d[out] = tensor_core_sum(core, x, y, 16, d[out]);
  }
}

/// Row l % 8 of matrix l / 8 is at lane l's address.
inline void load_matrices(unsigned* out, int count, const void* address, bool transposed) {
  const std::byte* all = exchange(&address, sizeof(address));
  const unsigned lane = here().rank % 32;
  for (int m = 0; m < count; ++m) {
    std::uint16_t pair[2];
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned row = transposed ? lane % 4 * 2 + i : lane / 4;
      const unsigned column = transposed ? lane / 4 : lane % 4 * 2 + i;
      const void* from = nullptr;
      std::memcpy(&from, all + (static_cast<unsigned>(m) * 8 + row) * kSlotBytes, sizeof(from));
      std::memcpy(&pair[i], static_cast<const std::uint16_t*>(from) + column, sizeof(pair[i]));
    }
    out[m] = static_cast<unsigned>(pair[1]) << 16 | pair[0];
  }
}

}  // namespace emulation

inline void mma_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::mma_16x8x16(emulation::kF16Core, emulation::f16_half, d, a, b);
}
inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::mma_16x8x16(emulation::kBf16Core, emulation::bf16_half, d, a, b);
}
inline void load_matrices_transposed(unsigned (&out)[2], const void* row) {
  emulation::load_matrices(out, 2, row, true);
}
inline void load_matrices_transposed(unsigned (&out)[4], const void* row) {
  emulation::load_matrices(out, 4, row, true);
}

inline unsigned e4m3x2_to_f16x2(unsigned codes) {
  unsigned out = 0;
  for (int i = 0; i < 2; ++i) {
    const unsigned code = codes >> (8 * i) & 0xFFU;
    const float value = e4m3_to_float(static_cast<e4m3>(code & 0x7FU));
    // All E4M3 values are normal FP16 values.
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const unsigned half = (code & 0x7FU) == 0      ? 0U
                          : (code & 0x7FU) == 0x7F ? 0x7E00U
                                                   : (bits >> 13) - (112U << 10);
    out |= (half | (code & 0x80U) << 8) << (16 * i);
  }
  return out;
}
inline unsigned e4m3x2_to_bf16x2(unsigned codes) {
  return static_cast<unsigned>(e4m3_to_bf16(static_cast<e4m3>(codes >> 8 & 0xFFU))) << 16 |
         e4m3_to_bf16(static_cast<e4m3>(codes & 0xFFU));
}

}  // namespace assay::engine
