// Hopper's asynchronous machinery: memory barriers, the tensor memory accelerator, and what
// surrounds warpgroup matrix instructions. Compiled for sm_90a alone.
#pragma once

#include "engine/cuda/device.cuh"
#include "engine/cuda/runtime.h"
#include "engine/cuda/wgmma_wide.cuh"

#if defined(__CUDACC__)

namespace assay::engine {

__device__ __forceinline__ unsigned shared_offset(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

/// A barrier that completes a phase when `count` threads have arrived and all expected bytes are
/// there. One thread makes it; the others see it after barriers_made() and __syncthreads().
__device__ __forceinline__ void barrier_make(std::uint64_t* barrier, unsigned count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_offset(barrier)), "r"(count)
               : "memory");
}
__device__ __forceinline__ void barriers_made() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void barrier_arrive(std::uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_offset(barrier)) : "memory");
}
/// Arrives, and lets the phase wait for `bytes` of copies.
__device__ __forceinline__ void barrier_arrive_expecting(std::uint64_t* barrier, unsigned bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_offset(barrier)),
      "r"(bytes)
      : "memory");
}
/// Waits until the phase of this parity (0 is the first) has completed.
__device__ __forceinline__ void barrier_wait(std::uint64_t* barrier, unsigned parity) {
  asm volatile(
      "{ .reg .pred done; again: "
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1; "
      "@done bra passed; bra again; passed: }" ::"r"(shared_offset(barrier)),
      "r"(parity)
      : "memory");
}

/// Copies a box of a matrix (engine/cuda/runtime.h) from byte `x` of row `y` to shared memory; the
/// barrier counts its bytes, those beyond the matrix included.
__device__ __forceinline__ void copy_box(void* shared, const TensorMap& map, int x, int y,
                                         std::uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3}], [%4];" ::"r"(shared_offset(shared)),
      "l"(&map), "r"(x), "r"(y), "r"(shared_offset(barrier))
      : "memory");
}

// ---- pairs of blocks that share a tile ---------------------------------------------------------

__device__ __forceinline__ int cluster_rank() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}
/// The same box to the same place in both blocks of a pair; the barrier at that place in each
/// counts it.
__device__ __forceinline__ void copy_box_to_pair(void* shared, const TensorMap& map, int x, int y,
                                                 std::uint64_t* barrier) {
  constexpr unsigned short kBoth = 3;
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_offset(shared)),
      "l"(&map), "r"(x), "r"(y), "r"(shared_offset(barrier)), "h"(kBoth)
      : "memory");
}
/// Arrives at the barrier that lies at the same place in block `rank` of the cluster.
__device__ __forceinline__ void barrier_arrive_at(std::uint64_t* barrier, int rank) {
  asm volatile(
      "{ .reg .b32 theirs; mapa.shared::cluster.u32 theirs, %0, %1; "
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [theirs]; }" ::"r"(
          shared_offset(barrier)),
      "r"(rank)
      : "memory");
}
/// All threads of a cluster that have not returned arrive, then wait: what was done before the
/// arrival is seen after the wait. The ticket serves the emulation.
__device__ __forceinline__ std::uint64_t cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
  return 0;
}
__device__ __forceinline__ void cluster_wait(std::uint64_t /*ticket*/) {
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}

/// A value at the same place in the shared memory of block `rank` of the cluster.
__device__ __forceinline__ float shared_value_of(const float* shared, int rank) {
  float out;
  asm volatile(
      "{ .reg .b32 theirs; mapa.shared::cluster.u32 theirs, %1, %2; "
      "ld.shared::cluster.f32 %0, [theirs]; }"
      : "=f"(out)
      : "r"(shared_offset(shared)), "r"(rank)
      : "memory");
  return out;
}
/// The first warpgroup of a block meets.
__device__ __forceinline__ void sync_group() { asm volatile("bar.sync 1, 128;" ::: "memory"); }

/// All threads of a warpgroup: from here on each needs only, or has, this many registers.
template <int kRegisters>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Rows of 128 bytes in the 128-byte swizzle, eight rows an atom of 1024 bytes. `shared` may point
/// 0, 32, 64 or 96 bytes into an atom's first row, which selects 32 bytes of K.
__device__ __forceinline__ std::uint64_t matrix_descriptor(const void* shared) {
  const std::uint64_t start = (shared_offset(shared) & 0x3FFFFU) >> 4;
  return start | std::uint64_t{1} << 16 | std::uint64_t{1024 >> 4} << 32 | std::uint64_t{1} << 62;
}
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// All instructions of this warpgroup are done.
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

/// Keeps the compiler from moving uses of accumulators over the fence before it or the wait after.
template <int kCount>
__device__ __forceinline__ void wgmma_hold(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

}  // namespace assay::engine

#else
#include "engine/cuda/emulation/hopper.h"
#endif
