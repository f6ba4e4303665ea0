// Tensor-core instructions of every supported architecture, and what feeds them: mma.sync on
// 16-bit operands, ldmatrix, cp.async.
#pragma once

#include "engine/cuda/device.cuh"

#if defined(__CUDACC__)

namespace assay::engine {

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

/// d += A B, 16 x 8 x 16. Lane l holds of A (row-major) rows l / 4 (a[0], a[2]) and l / 4 + 8
/// (a[1], a[3]), of B column l / 4; each at k = 2 (l % 4) + {0, 1}, and 8 more in a[2], a[3], b[1];
/// of D rows l / 4 (d[0], d[1]) and l / 4 + 8 (d[2], d[3]), columns 2 (l % 4) + {0, 1}.
__device__ __forceinline__ void mma_f16(float (&d)[4], const unsigned (&a)[4],
                                        const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_bf16(float (&d)[4], const unsigned (&a)[4],
                                         const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// 8 x 8 matrices of 16-bit elements, transposed: lane l's `row` is the address of row l % 8 of
/// matrix l / 8; it receives elements [2 (l % 4) + {0, 1}][l / 4] of each.
__device__ __forceinline__ void load_matrices_transposed(unsigned (&out)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(out[0]), "=r"(out[1])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(unsigned (&out)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}

/// 16 bytes from global to shared memory, or zeros. Both 16-byte aligned.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// All but the newest kGroups groups of this thread are done.
template <int kGroups>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}

/// Two E4M3 codes in the low half of `codes` to two FP16 or BF16 values, which is exact.
__device__ __forceinline__ unsigned e4m3x2_to_f16x2(unsigned codes) {
  unsigned out;
  asm("{ .reg .b16 low; cvt.u16.u32 low, %1; cvt.rn.f16x2.e4m3x2 %0, low; }"
      : "=r"(out)
      : "r"(codes));
  return out;
}
__device__ __forceinline__ unsigned e4m3x2_to_bf16x2(unsigned codes) {
  const unsigned halves = e4m3x2_to_f16x2(codes);
  float low;
  float high;
  asm("{ .reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h; }"
      : "=f"(low), "=f"(high)
      : "r"(halves));
  return to_bf16x2(low, high);
}

}  // namespace assay::engine

#else
#include "engine/cuda/emulation/mma.h"
#endif
