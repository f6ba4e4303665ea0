// The wrappers of engine/cuda/hopper.cuh on the host.
#pragma once

#include <cstring>

#include "base/check.h"
#include "engine/cuda/emulation/device.h"
#include "engine/cuda/emulation/tensor_core.h"
#include "engine/cuda/emulation/tensor_map.h"
#include "engine/cuda/runtime.h"

#define __grid_constant__

namespace assay::engine {
namespace emulation {

/// What an emulated barrier holds in its 64 bits.
struct BarrierState {
  std::int16_t count;    // arrivals of a phase
  std::int16_t pending;  // that are still missing
  std::int32_t bytes;    // expected and not there yet, times two, plus the phase's parity
};
static_assert(sizeof(BarrierState) == sizeof(std::uint64_t));

inline BarrierState load(const std::uint64_t* barrier) {
  BarrierState state;
  std::memcpy(&state, barrier, sizeof(state));
  return state;
}
inline void store(std::uint64_t* barrier, BarrierState state) {
  if (state.pending == 0 && state.bytes / 2 == 0) {
    state.pending = state.count;
    state.bytes ^= 1;
  }
  std::memcpy(barrier, &state, sizeof(state));
}

/// The place of a byte in the 128-byte swizzle.
inline std::size_t swizzled(std::size_t offset) { return offset ^ (offset >> 7 & 7U) << 4; }

inline const std::byte* operand(std::uint64_t descriptor, unsigned row, unsigned byte) {
  ASSAY_CHECK(descriptor >> 62 == 1 && (descriptor >> 32 & 0x3FFFU) == 64, "matrix descriptor");
  const std::size_t start = (descriptor & 0x3FFFU) << 4;
  return here().shared + swizzled(start + row / 8 * 1024 + row % 8 * 128 + byte);
}

}  // namespace emulation

inline void barrier_make(std::uint64_t* barrier, unsigned count) {
  const auto arrivals = static_cast<std::int16_t>(count);
  const emulation::BarrierState state{arrivals, arrivals, 0};
  std::memcpy(barrier, &state, sizeof(state));
}
inline void barriers_made() {}
inline void barrier_arrive(std::uint64_t* barrier) {
  emulation::BarrierState state = emulation::load(barrier);
  ASSAY_CHECK(state.pending > 0, "an arrival too many at a memory barrier");
  --state.pending;
  emulation::store(barrier, state);
}
inline void barrier_arrive_expecting(std::uint64_t* barrier, unsigned bytes) {
  emulation::BarrierState state = emulation::load(barrier);
  ASSAY_CHECK(state.pending > 0, "an arrival too many at a memory barrier");
  --state.pending;
  state.bytes += static_cast<std::int32_t>(2 * bytes);
  emulation::store(barrier, state);
}
inline void barrier_wait(std::uint64_t* barrier, unsigned parity) {
  // Past once the barrier is in a phase of the other parity.
  auto passed = [&] {
    return (static_cast<unsigned>(emulation::load(barrier).bytes) & 1U) != parity;
  };
  emulation::wait_until(passed);
}

namespace emulation {

/// A box to `shared` of the block `ahead` blocks behind this one in the cluster.
inline void copy_box_to(void* shared, const TensorMap& map, int x, int y, std::uint64_t* barrier,
                        std::ptrdiff_t ahead) {
  TiledMatrix matrix;
  std::memcpy(&matrix, map.opaque, sizeof(matrix));
  const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(shared) - here().shared);
  ASSAY_CHECK(offset % 1024 == 0, "a box begins at a multiple of 1024 bytes");
  const std::ptrdiff_t shift = ahead * static_cast<std::ptrdiff_t>(here().shared_step);
  for (std::int64_t row = 0; row < matrix.box_rows; ++row) {
    for (std::int64_t piece = 0; piece < 8; ++piece) {
      const auto at = offset + static_cast<std::size_t>(row * 128 + piece * 16);
      std::byte* to = here().shared + swizzled(at) + shift;
      const std::int64_t column = x + piece * 16;
      if (y + row < matrix.rows && column < matrix.row_bytes) {
        std::memcpy(to, matrix.base + (y + row) * matrix.row_bytes + column, 16);
      } else {
        std::memset(to, 0, 16);
      }
    }
  }
  auto* theirs =
      reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::byte*>(barrier) + shift);
  BarrierState state = load(theirs);
  state.bytes -= static_cast<std::int32_t>(2 * 128 * matrix.box_rows);
  store(theirs, state);
}

}  // namespace emulation

inline void copy_box(void* shared, const TensorMap& map, int x, int y, std::uint64_t* barrier) {
  emulation::copy_box_to(shared, map, x, y, barrier, 0);
}
inline void copy_box_to_pair(void* shared, const TensorMap& map, int x, int y,
                             std::uint64_t* barrier) {
  const auto rank = static_cast<std::ptrdiff_t>(emulation::here().cluster_rank);
  ASSAY_CHECK(emulation::here().cluster_blocks == 2, "a pair of blocks");
  emulation::copy_box_to(shared, map, x, y, barrier, -rank);
  emulation::copy_box_to(shared, map, x, y, barrier, 1 - rank);
}
inline int cluster_rank() { return static_cast<int>(emulation::here().cluster_rank); }
inline void barrier_arrive_at(std::uint64_t* barrier, int rank) {
  const auto ahead = rank - static_cast<int>(emulation::here().cluster_rank);
  barrier_arrive(reinterpret_cast<std::uint64_t*>(
      reinterpret_cast<std::byte*>(barrier) +
      ahead * static_cast<std::ptrdiff_t>(emulation::here().shared_step)));
}
inline float shared_value_of(const float* shared, int rank) {
  const auto ahead = rank - static_cast<int>(emulation::here().cluster_rank);
  return *reinterpret_cast<const float*>(
      reinterpret_cast<const std::byte*>(shared) +
      ahead * static_cast<std::ptrdiff_t>(emulation::here().shared_step));
}
inline void sync_group() { emulation::sync_named(1, 128); }
inline std::uint64_t cluster_arrive() { return emulation::cluster_arrive(); }
inline void cluster_wait(std::uint64_t ticket) { emulation::cluster_wait(ticket); }

inline std::uint64_t matrix_descriptor(const void* shared) {
  const auto offset =
      static_cast<std::uint64_t>(static_cast<const std::byte*>(shared) - emulation::here().shared);
  return offset >> 4 | std::uint64_t{1} << 16 | std::uint64_t{64} << 32 | std::uint64_t{1} << 62;
}
template <int kRegisters>
void give_registers() {}
template <int kRegisters>
void take_registers() {}
inline void wgmma_fence() {}
inline void wgmma_commit() {}
inline void wgmma_wait() {}
template <int kCount>
void wgmma_hold(float (&/*d*/)[kCount]) {}

template <int kColumns, bool kE4m3>
struct Wgmma {
  static void add(float (&d)[kColumns / 2], std::uint64_t a, std::uint64_t b, int accumulate) {
    constexpr unsigned kTerms = kE4m3 ? 32 : 16;
    const emulation::TensorCore& core = kE4m3 ? emulation::kE4m3Core : emulation::kBf16Core;
    const auto values = [](std::uint64_t descriptor, unsigned row, float(&out)[kTerms]) {
      for (unsigned k = 0; k < kTerms; ++k) {
        if constexpr (kE4m3) {
          out[k] = e4m3_to_float(static_cast<e4m3>(*emulation::operand(descriptor, row, k)));
        } else {
          bf16 half = 0;
          std::memcpy(&half, emulation::operand(descriptor, row, 2 * k), sizeof(half));
          out[k] = bf16_to_float(half);
        }
      }
    };
    const unsigned rank = emulation::here().rank;
    for (unsigned i = 0; i < kColumns / 2; ++i) {
      float x[kTerms];
      float y[kTerms];
      values(a, rank / 32 % 4 * 16 + rank % 32 / 4 + i % 4 / 2 * 8, x);
      values(b, i / 4 * 8 + rank % 4 * 2 + i % 2, y);
      d[i] = emulation::tensor_core_sum(core, x, y, kTerms, accumulate != 0 ? d[i] : 0.0F);
    }
  }
};

}  // namespace assay::engine
