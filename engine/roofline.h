// What the machine can do at best, measured: the bounds beside every figure of speed.
// Source of the idea: Williams, Waterman and Patterson 2009, "Roofline".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/machine_speed.h"

namespace assay::engine {

struct Roofline {
  std::string device;           // "cpu" or the GPU's name
  int threads = 0;              // of the CPU; 0 for a GPU
  double read_bytes_per_s = 0;  // a block that no cache holds; 0: not measured (GPU)
  double copy_bytes_per_s = 0;  // bytes read plus bytes written
  double fp32_flops_per_s = 0;  // fused multiply-adds count as two; 0: not measured (GPU)
  double bf16_flops_per_s = 0;  // BF16 products added in FP32; 0: no such instruction
  double fp8_flops_per_s = 0;   // GPUs: largest matrix product of the engine's best kernel
  /// The largest of the rates for the engine's products.
  [[nodiscard]] double most_flops_per_s() const;
};

/// Best of several passes, on `threads` pinned threads. Takes about two seconds and half a
/// gigabyte. Throws: Error(kEnvironment) for a lack of memory.
Roofline measure_cpu_roofline(int threads);

/// The first GPU: copy bandwidth, and the rate of large matrix products in BF16 and FP8.
/// Throws: Error(kEnvironment) without a GPU or in a build without CUDA.
Roofline measure_gpu_roofline();

/// How fast the machine is right now. What moves it from outside: other guests of a host, which
/// also move this one's cores to other places; heat; a battery.
/// Used by one thread, while the process does nothing else.
class SpeedProbe {
 public:
  /// Keeps 256 MiB and `threads` - 1 sleeping threads. Throws: Error(kEnvironment).
  explicit SpeedProbe(int threads);
  ~SpeedProbe();
  SpeedProbe(const SpeedProbe&) = delete;
  SpeedProbe& operator=(const SpeedProbe&) = delete;
  SpeedProbe(SpeedProbe&&) = delete;
  SpeedProbe& operator=(SpeedProbe&&) = delete;

  /// Best of several passes, so that a moment's interruption does not count. Some 50 ms.
  MachineSpeed measure();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Exclusive or of all words: reads every byte once as fast as one thread can.
/// REQUIRES: 64-byte aligned, a multiple of 256 bytes.
std::uint64_t read_block(std::span<const std::byte> block);

}  // namespace assay::engine
