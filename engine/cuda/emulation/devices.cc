// The emulated GPU, as engine/cuda/devices.h tells of one.
#include "engine/cuda/devices.h"

#include "engine/cuda/runtime.h"

namespace assay::engine {

GpuReport gpu_report() {
  const DeviceLimits device = use_device(0);
  return {.built = true,
          .architectures = "90a-real",
          .driver = "emulated",
          .runtime = "emulated",
          .devices = {{.name = device.name,
                       .capability_major = device.capability / 10,
                       .capability_minor = device.capability % 10,
                       .multiprocessors = device.multiprocessors,
                       .memory_bytes = device.memory_bytes,
                       .free_bytes = device.free_bytes}}};
}

}  // namespace assay::engine
