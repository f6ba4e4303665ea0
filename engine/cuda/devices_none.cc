// For builds without the CUDA backend.
#include "base/error.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/devices.h"
#include "engine/cuda/gpu_ranks.h"
#include "engine/roofline.h"

namespace assay::engine {

GpuReport gpu_report() {
  return {.problem = "this build has no CUDA backend; install the CUDA 13 toolkit and build again"};
}

bool cuda_usable() { return false; }

CudaPlan plan_cuda(const ModelConfig& /*config*/, const WeightSource& /*source*/,
                   const PrecisionSetting& /*setting*/, KvType /*kv*/,
                   const CudaOptions& /*options*/) {
  throw_input("--device cuda: {}", gpu_report().problem);
}

std::unique_ptr<CudaExecutor> make_cuda_executor(const ModelConfig& /*config*/,
                                                 const WeightSource& /*source*/,
                                                 const PrecisionSetting& /*setting*/, KvType /*kv*/,
                                                 const CudaOptions& /*options*/,
                                                 const CudaPlan& /*plan*/, int /*threads*/) {
  throw_input("--device cuda: {}", gpu_report().problem);
}

std::unique_ptr<CudaExecutor> make_gpu_ranks(const ModelConfig& /*config*/,
                                             const WeightSource& /*source*/,
                                             const PrecisionSetting& /*setting*/, KvType /*kv*/,
                                             const CudaOptions& /*options*/,
                                             const CudaPlan& /*plan*/, int /*gpus*/,
                                             int /*threads*/) {
  throw_input("--device cuda: {}", gpu_report().problem);
}

Roofline measure_gpu_roofline() { throw_environment("{}", gpu_report().problem); }

}  // namespace assay::engine
