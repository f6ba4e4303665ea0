#include <cuda_runtime_api.h>

#include "engine/cuda/devices.h"

namespace assay::engine {
namespace {

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

GpuDevice describe(int index) {
  GpuDevice out;
  out.index = index;
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return out;
  out.name = properties.name;
  out.capability_major = properties.major;
  out.capability_minor = properties.minor;
  out.multiprocessors = properties.multiProcessorCount;
  out.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  std::size_t free = 0;
  std::size_t total = 0;
  if (cudaSetDevice(index) == cudaSuccess && cudaMemGetInfo(&free, &total) == cudaSuccess) {
    out.free_bytes = static_cast<std::int64_t>(free);
  }
  return out;
}

}  // namespace

GpuReport gpu_report() {
  GpuReport report;
  report.built = true;
  report.architectures = ASSAY_CUDA_ARCHITECTURES;
  report.runtime = version_text(CUDART_VERSION);
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    report.problem = "no NVIDIA driver is loaded";
    return report;
  }
  report.driver = version_text(driver);
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    report.problem = cudaGetErrorString(error);
    return report;
  }
  for (int i = 0; i < count; ++i) report.devices.push_back(describe(i));
  if (count == 0) report.problem = "the driver shows no device";
  return report;
}

}  // namespace assay::engine
