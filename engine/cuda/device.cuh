// What every kernel file includes first: the device's intrinsics and conversions. Compiled without
// nvcc, the same sources run on the host (engine/cuda/emulation).
#pragma once

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "engine/ops/number.h"

namespace assay::engine {

/// The block's dynamic shared memory, aligned to 1024 bytes as the 128-byte swizzle wants it.
__device__ __forceinline__ std::byte* shared_memory() {
  extern __shared__ __align__(1024) unsigned char assay_shared_memory[];
  return reinterpret_cast<std::byte*>(assay_shared_memory);
}

/// Round to nearest even.
__device__ __forceinline__ unsigned to_bf16x2(float low, float high) {
  unsigned out;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  return out;
}
__device__ __forceinline__ bf16 to_bf16(float value) {
  return static_cast<bf16>(to_bf16x2(value, 0.0F));
}
/// Round to nearest even, saturating.
__device__ __forceinline__ unsigned to_e4m3x2(float low, float high) {
  unsigned short out;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(out) : "f"(high), "f"(low));
  return out;
}
__device__ __forceinline__ e4m3 to_e4m3(float value) {
  return static_cast<e4m3>(to_e4m3x2(value, 0.0F));
}

/// Seen by other GPUs after everything that this thread saw or wrote before.
__device__ __forceinline__ void store_release_system(unsigned* to, unsigned value) {
  asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}
/// What this thread reads afterwards is what the writer saw and wrote before.
__device__ __forceinline__ unsigned load_acquire_system(const unsigned* from) {
  unsigned out;
  asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(out) : "l"(from) : "memory");
  return out;
}
/// Past this GPU's caches, which do not know of others' writes.
__device__ __forceinline__ float load_from_peer(const float* from) {
  return *static_cast<const volatile float*>(from);
}

/// 2^x to about two units in the last place; 0 for -infinity.
__device__ __forceinline__ float exp2_approximate(float x) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}

/// A kernel that was started early (Geometry::early) waits here until all kernels in front of it
/// have ended and their stores are seen. Every thread calls it before it reads what they wrote or
/// writes what they read. At least one thread of every kernel that is started early must call it.
__device__ __forceinline__ void wait_for_inputs() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
/// Lets the next kernel start, if it is one that may, once every block has called this or ended.
__device__ __forceinline__ void let_next_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace assay::engine

#else
#include "engine/cuda/emulation/device.h"
#endif

namespace assay::engine {

constexpr unsigned kAllLanes = 0xFFFFFFFFU;

__device__ __forceinline__ float from_bf16(unsigned bits) { return __uint_as_float(bits << 16); }
__device__ __forceinline__ float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high_bf16(unsigned pair) {
  return __uint_as_float(pair & 0xFFFF0000U);
}

/// The value of an E4M3 code, which is exact.
__device__ __forceinline__ float from_e4m3(unsigned code) {
  const unsigned magnitude = code & 0x7FU;
  const unsigned sign = (code & 0x80U) << 24;
  if (magnitude == 0x7FU) return __uint_as_float(sign | 0x7FC00000U);
  const float value = magnitude < 8U ? static_cast<float>(magnitude) * 0x1p-9F
                                     : __uint_as_float((magnitude << 20) + (120U << 23));
  return __uint_as_float(__float_as_uint(value) | sign);
}

}  // namespace assay::engine
