#include "engine/ops/cpu_kernel_bodies.h"
#include "engine/ops/simd_avx2.h"

namespace assay::engine {

const CpuKernels& avx2_kernels() {
  static const CpuKernels kernels = CpuKernelBodies<Avx2>::table("avx2");
  return kernels;
}

}  // namespace assay::engine
