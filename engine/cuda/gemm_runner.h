// Chooses and starts the kernel of a matrix product.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/cuda/library_gemm.h"
#include "engine/cuda/runtime.h"
#include "engine/ops/device_gemm.h"
#include "engine/ops/gemm_wgmma.h"

namespace assay::engine {

/// Most parts x tokens that `parts` ever gives for up to `max_rows` tokens.
std::int64_t most_part_rows(GemmKind kind, std::int64_t max_rows);

/// Used by one thread.
class GemmRunner {
 public:
  /// Throws: Error(kInput) when the device has no such kind, Error(kEnvironment) when a library is
  /// not there.
  GemmRunner(GemmKind kind, const DeviceLimits& device);
  ~GemmRunner();
  GemmRunner(const GemmRunner&) = delete;
  GemmRunner& operator=(const GemmRunner&) = delete;
  GemmRunner(GemmRunner&&) = delete;
  GemmRunner& operator=(GemmRunner&&) = delete;

  /// Nodes of the shard tree that a row-parallel product of this many tokens leaves to its
  /// consumer. Speed alone depends on it, never a bit.
  [[nodiscard]] int parts(const DeviceMatrix& w, int tokens, bool a_is_e4m3) const;
  void run(CudaStream stream, const DeviceGemmArgs& args);
  [[nodiscard]] GemmKind kind() const { return kind_; }

 private:
  void run_own(CudaStream stream, const DeviceGemmArgs& args);

  GemmKind kind_;
  DeviceLimits device_;
  TensorMaps maps_;
  std::unique_ptr<LibraryGemm> library_;
};

/// What the device can do best: wgmma on Hopper, else mma.
GemmKind default_gemm_kind(const DeviceLimits& device);

}  // namespace assay::engine
