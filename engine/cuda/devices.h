// The GPUs of this machine. The same header serves builds without CUDA, which have none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::engine {

struct GpuDevice {
  int index = 0;
  std::string name;          // "NVIDIA H200"
  int capability_major = 0;  // 9.0 is Hopper
  int capability_minor = 0;
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;  // in all
  std::int64_t free_bytes = 0;    // now
};

struct GpuReport {
  bool built = false;         // this program has the CUDA backend
  std::string architectures;  // it was compiled for, as in CMAKE_CUDA_ARCHITECTURES, by commas
  std::string driver;         // newest CUDA version the driver serves, "13.0"; "" without a driver
  std::string runtime;        // CUDA version of this build
  std::vector<GpuDevice> devices;
  std::string problem;  // one line: why there are no devices; "" when there are
};

/// Asks the driver; never throws and never starts a context that outlives the call.
GpuReport gpu_report();

}  // namespace assay::engine
