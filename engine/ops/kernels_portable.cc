#include "engine/ops/cpu_kernel_bodies.h"
#include "engine/ops/simd_portable.h"

namespace assay::engine {

const CpuKernels& portable_kernels() {
  static const CpuKernels kernels = CpuKernelBodies<Portable>::table("scalar");
  return kernels;
}

}  // namespace assay::engine
