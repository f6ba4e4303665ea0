// For builds without code for sm_90a.
#include "base/error.h"
#include "engine/ops/gemm_wgmma.h"

namespace assay::engine {

bool gemm_wgmma_fits(const DeviceGemmArgs& /*args*/) { return true; }

void gemm_wgmma_cuda(CudaStream /*stream*/, const DeviceGemmArgs& /*args*/, TensorMaps& /*maps*/,
                     const WgmmaOptions& /*options*/) {
  throw_environment(
      "this program has no code for Hopper (sm_90a); build with it or set "
      "ASSAY_CUDA_KERNELS=mma");
}

}  // namespace assay::engine
