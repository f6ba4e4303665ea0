// For builds without the CUDA backend.
#include "engine/cuda/devices.h"

namespace assay::engine {

GpuReport gpu_report() {
  return {.problem = "this build has no CUDA backend; install the CUDA 13 toolkit and build again"};
}

}  // namespace assay::engine
