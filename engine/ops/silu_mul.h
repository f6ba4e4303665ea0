// silu(gate) * up, and its quantization. Defined, bit for bit, by the CPU kernel `silu_mul`.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"
#include "engine/ops/next_input.h"
#include "engine/ops/number.h"

namespace assay::engine {

/// Features whose gate and up outputs alternate in the fused matrix: 8 of gate, 8 of up, ...
constexpr int kGateUpGroup = 8;
/// Row of feature `feature` in the fused gate and up matrix; `up` is 0 or 1.
constexpr std::int64_t gate_up_row(std::int64_t feature, int up) {
  return feature / kGateUpGroup * (2 * kGateUpGroup) + up * kGateUpGroup + feature % kGateUpGroup;
}

/// Device memory, 16-byte aligned.
struct SiluMulArgs {
  const bf16* gate_up = nullptr;  // [rows, ld], features in the order of gate_up_row
  int ld = 0;
  int rows = 0;
  NextInput next;  // shards * shard_used values a row; those beyond `features` are zero
  int features = 0;
};

/// Enqueues on `stream`. A row's bits depend on that row alone.
void silu_mul_cuda(CudaStream stream, const SiluMulArgs& args);
std::int64_t silu_mul_bytes(const SiluMulArgs& args);

}  // namespace assay::engine
