// What the machine can do at best, measured: the bounds beside every figure of speed.
// Source of the idea: Williams, Waterman and Patterson 2009, "Roofline".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

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

/// Exclusive or of all words: reads every byte once as fast as one thread can.
/// REQUIRES: 64-byte aligned, a multiple of 256 bytes.
std::uint64_t read_block(std::span<const std::byte> block);

}  // namespace assay::engine
