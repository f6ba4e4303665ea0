// Matrix products y = W x on a device: weights row-major, one row an output.
//
// Definition (docs/engine.md; the CPU's engine/ops/gemm.h with another order inside blocks): K is
// cut into `shards` equal parts, each padded to a multiple of 128. Sums of 128 products join a
// part's FP32 sum in ascending order; a part's sum is multiplied by the token's scale for the part;
// parts are added as a binary tree; then the row's scale and the bias. With group scales the sum of
// each 128 products is first multiplied by the row's scale for them, then by the token's if the
// input is quantized in groups. What sums 128 products is
// the kernel family's own (GemmKind) and the same for every number of tokens, so a token's bits
// never depend on the batch.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/cuda/runtime.h"
#include "engine/ops/cpu_kernels.h"
#include "engine/ops/host_device.h"
#include "engine/ops/next_input.h"

namespace assay::engine {

enum class GemmKind : std::uint8_t {
  kExact,    // FP32 additions in the CPU's order: the CPU's bits, slow
  kMma,      // mma.sync m16n8k16 on BF16 or FP16 values: every architecture
  kWgmma,    // Hopper's warpgroup instructions on E4M3 (BF16 for BF16 weights)
  kLibrary,  // cuBLASLt: no promise that the bits are the same for every number of tokens
  kFast,     // for each shape the fastest of the library's algorithms and the default's kernels
};
/// "exact", "mma", "wgmma", "cublaslt", "fast". Throws: Error(kInput).
GemmKind find_gemm_kind(std::string_view name);
const char* gemm_kind_name(GemmKind kind);

/// Weights in device memory, not owned. [rows, shards * shard_k], padding zero.
struct DeviceMatrix {
  WeightType type = WeightType::kBf16;
  int rows = 0;
  int shards = 1;
  int shard_used = 0;
  int shard_k = 0;             // a multiple of 128
  void* data = nullptr;        // 256-byte aligned
  float* row_scale = nullptr;  // [rows], or null: 1
  float* bias = nullptr;       // [rows], or null: none
  // Groups of inputs with scales of their own: each block of 128 padded inputs lies in one group.
  float* group_scale = nullptr;        // [rows, blocks()], or null
  const InputPiece* pieces = nullptr;  // [blocks()]; null: inputs follow each other in a shard
  ActivationType activations = ActivationType::kBf16;  // what the input is rounded to
  float input_scale = 0;                               // of static activations
  float amax_bound = 0;                                // NextInput::amax_bound
  [[nodiscard]] ASSAY_HOST_DEVICE std::int64_t blocks() const { return inputs() / kBlock; }
  /// The input has a scale for each block, [tokens, blocks()].
  [[nodiscard]] ASSAY_HOST_DEVICE bool grouped_input() const {
    return activations == ActivationType::kE4m3Group;
  }
  /// The input is E4M3 codes, else BF16 values, INT8 ones too.
  [[nodiscard]] bool e4m3_input() const {
    return activations == ActivationType::kE4m3Token ||
           activations == ActivationType::kE4m3Static || activations == ActivationType::kE4m3Group;
  }
  [[nodiscard]] ASSAY_HOST_DEVICE std::int64_t inputs() const {
    return static_cast<std::int64_t>(shards) * shard_k;
  }
  [[nodiscard]] std::int64_t element_bytes() const { return type == WeightType::kBf16 ? 2 : 1; }
  [[nodiscard]] std::int64_t bytes() const { return rows * inputs() * element_bytes(); }
};

enum class GemmOut : std::uint8_t {
  kBf16,   // [tokens, ldo], with row scale and bias
  kFloat,  // the same in FP32
  kParts,  // FP32 [parts, tokens, ldo]: nodes of the tree, without row scale and bias
};

struct DeviceGemmArgs {
  const void* a = nullptr;         // [tokens, w.inputs()], E4M3 with a_scale or BF16 without
  const float* a_scale = nullptr;  // [tokens, w.shards] or, grouped, [tokens, w.blocks()]; or null
  bool a_is_e4m3 = false;
  DeviceMatrix w;
  void* out = nullptr;  // 16-byte aligned
  int ldo = 0;          // >= w.rows; columns up to w.rows are written
  int tokens = 0;
  int a_rows = 0;  // rows that the buffer of a holds, >= tokens
  GemmOut kind = GemmOut::kBf16;
  int parts = 1;  // kParts: 1, 2, 4 or 8 nodes, at most w.shards
};

/// Same bits as `gemm_ref` of engine/ops/gemm.h. For tests and as the oracle of the others.
void gemm_exact_cuda(CudaStream stream, const DeviceGemmArgs& args);
/// Within 2^-20 of the sum of magnitudes of the exact sum, before the output is rounded.
void gemm_mma_cuda(CudaStream stream, const DeviceGemmArgs& args);

std::int64_t device_gemm_bytes(const DeviceGemmArgs& args);
std::int64_t device_gemm_flops(const DeviceGemmArgs& args);

}  // namespace assay::engine
