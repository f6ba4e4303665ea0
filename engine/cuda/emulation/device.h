// What a kernel's source finds in place of the CUDA headers when it is compiled for the host:
// keywords, built-in variables and intrinsics with the meaning that the CUDA C++ guide gives them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

#include "engine/cuda/emulation/grid.h"
#include "engine/cuda/emulation/queue.h"
#include "engine/ops/number.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

#define threadIdx (::assay::engine::emulation::here().thread)
#define blockIdx (::assay::engine::emulation::here().block)
#define blockDim (::assay::engine::emulation::here().block_dim)
#define gridDim (::assay::engine::emulation::here().grid_dim)

struct uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

namespace assay::engine {

inline void __syncthreads() { emulation::sync_block(); }
inline void __syncwarp() {
  const int nothing = 0;
  emulation::exchange(&nothing, sizeof(nothing));
}

template <typename T>
T __shfl_sync(unsigned /*mask*/, T value, int source) {
  const std::byte* all = emulation::exchange(&value, sizeof(value));
  T out;
  std::memcpy(&out, all + static_cast<std::size_t>(source % 32) * emulation::kSlotBytes,
              sizeof(out));
  return out;
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return __shfl_sync(mask, value, static_cast<int>(emulation::here().rank % 32) ^ lanes);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
  const unsigned lane = emulation::here().rank % 32;
  return __shfl_sync(mask, value, static_cast<int>(lane >= delta ? lane - delta : lane));
}
inline unsigned __ballot_sync(unsigned /*mask*/, int predicate) {
  const std::byte* all = emulation::exchange(&predicate, sizeof(predicate));
  unsigned out = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    int other = 0;
    std::memcpy(&other, all + lane * emulation::kSlotBytes, sizeof(other));
    if (other != 0) out |= 1U << lane;
  }
  return out;
}

inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline std::uint64_t __umul64hi(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * b) >> 64);
}
/// Byte i of the result is the byte of {b, a} that nibble i of the selector names.
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(b) << 32 | a;
  unsigned out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned from = selector >> (4 * i) & 7U;
    out |= static_cast<unsigned>(bytes >> (8 * from) & 0xFFU) << (8 * i);
  }
  return out;
}

template <typename T>
T atomicAdd(T* at, T value) {
  return std::exchange(*at, static_cast<T>(*at + value));
}
template <typename T>
T atomicMax(T* at, T value) {
  const T old = *at;
  if (value > old) *at = value;
  return old;
}
template <typename T>
T atomicMin(T* at, T value) {
  const T old = *at;
  if (value < old) *at = value;
  return old;
}

inline void wait_for_inputs() {}
inline void let_next_start() {}

/// The block's shared memory.
inline std::byte* shared_memory() { return emulation::here().shared; }

// ---- engine/cuda/device.cuh has the device's ----------------------------------------------------

// Other GPUs are other threads of the host.
inline void store_release_system(unsigned* to, unsigned value) {
  __atomic_store_n(to, value, __ATOMIC_RELEASE);
}
inline unsigned load_acquire_system(const unsigned* from) {
  std::this_thread::yield();
  return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}
inline float load_from_peer(const float* from) { return *from; }

inline float exp2_approximate(float x) {
  return static_cast<float>(std::exp2(static_cast<double>(x)));
}

inline bf16 to_bf16(float value) { return float_to_bf16(value); }
inline unsigned to_bf16x2(float low, float high) {
  return static_cast<unsigned>(float_to_bf16(high)) << 16 | float_to_bf16(low);
}
inline e4m3 to_e4m3(float value) { return float_to_e4m3(value); }
inline unsigned to_e4m3x2(float low, float high) {
  return static_cast<unsigned>(float_to_e4m3(high)) << 8 | float_to_e4m3(low);
}

}  // namespace assay::engine
