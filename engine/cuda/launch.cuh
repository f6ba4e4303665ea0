// Starting a kernel, on the device or in the host emulation.
#pragma once

#include <cstddef>

#include "engine/cuda/device.cuh"
#include "engine/cuda/runtime.h"

namespace assay::engine {

struct Geometry {
  const char* name = "";  // of the kernel, for kernel_times()
  unsigned grid_x = 1;
  unsigned grid_y = 1;
  unsigned grid_z = 1;
  unsigned threads = 32;         // in one block; a multiple of 32
  std::size_t shared_bytes = 0;  // dynamic shared memory
  unsigned cluster = 1;          // blocks of a cluster, along x
  bool early = false;            // may start before the kernel in front of it ends: it waits itself
};

/// Enqueues `kernel` on `stream`. Throws: Error(kEnvironment) when the launch fails.
template <typename... Parameters, typename... Arguments>
void launch(CudaStream stream, const Geometry& geometry, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
#if defined(__CUDACC__)
  constexpr std::size_t kAlwaysAllowed = std::size_t{48} << 10;
  if (geometry.shared_bytes > kAlwaysAllowed) {
    cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(geometry.shared_bytes)),
               "shared memory of a kernel");
  }
  const bool timed = tracing();
  if (timed) trace_start(stream);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(geometry.grid_x, geometry.grid_y, geometry.grid_z);
  config.blockDim = dim3(geometry.threads);
  config.dynamicSmemBytes = geometry.shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute attributes[2] = {};
  config.attrs = attributes;
  if (geometry.cluster > 1) {
    attributes[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
    attributes[config.numAttrs++].val.clusterDim = {geometry.cluster, 1, 1};
  }
  if (geometry.early && !timed && early_starts()) {
    attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
  }
  cuda_check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
             "start of a kernel");
  if (timed) trace_stop(stream, geometry.name);
  after_launch(stream);
#else
  (void)stream;
  emulation::enqueue([geometry, kernel, arguments...] {
    emulation::run_grid({geometry.grid_x, geometry.grid_y, geometry.grid_z},
                        {geometry.threads, 1, 1}, geometry.shared_bytes, geometry.cluster,
                        [&] { kernel(static_cast<Parameters>(arguments)...); });
  });
#endif
}

}  // namespace assay::engine
