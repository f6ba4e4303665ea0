#include "engine/ops/cpu_kernel_bodies.h"
#include "engine/ops/simd_avx512.h"

namespace assay::engine {

const CpuKernels& avx512_kernels() {
  static const CpuKernels kernels = CpuKernelBodies<Avx512>::table("avx512");
  return kernels;
}

}  // namespace assay::engine
