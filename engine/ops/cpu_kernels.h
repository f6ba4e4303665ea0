// The inner loops of the CPU backend as a table of functions, one table for each instruction set.
//
// All tables give the same bits: the loops are written once (cpu_kernel_bodies.h) over a vector of
// 16 FP32 lanes, a lane is an output, and every sum has an order that is part of its definition
// (docs/engine.md). Only products that underflow FP32 could differ, because the portable variant
// rounds a product before it adds it; products of BF16 values are otherwise exact.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ops/bf16_compression.h"
#include "engine/ops/number.h"

namespace assay::engine {

/// Outputs (rows of a weight matrix) in one packed panel.
inline constexpr std::int64_t kPanelRows = 64;
/// Inputs whose products are summed before they join the running sum: two chains of 64.
inline constexpr std::int64_t kBlock = 128;
/// Row-parallel matrices sum this many parts of K in a fixed tree, whatever the number of ranks.
inline constexpr std::int64_t kShards = 8;

/// kInt4: integers 0..15 with a zero point for each group; kE2m1: 4-bit floats whose products with
/// their group's scale are BF16 values. kBf16Compressed: how a packed matrix may hold BF16
/// (bf16_compression.h); no setting and no device has it.
enum class WeightType : std::uint8_t { kBf16, kE4m3, kInt8, kInt4, kE2m1, kBf16Compressed };
constexpr std::int64_t weight_bits(WeightType type) {
  if (type == WeightType::kBf16) return 16;
  if (type == WeightType::kBf16Compressed) return 12;
  return type == WeightType::kInt4 || type == WeightType::kE2m1 ? 4 : 8;
}

/// What the input of a matrix product is rounded to. Token: one scale for each token and shard,
/// from its largest magnitude; static: one scale for all; group: one for each token and group.
enum class ActivationType : std::uint8_t {
  kBf16,
  kE4m3Token,
  kE4m3Static,
  kE4m3Group,
  kInt8Token,
  kInt8Static
};
constexpr bool is_int8(ActivationType type) {
  return type == ActivationType::kInt8Token || type == ActivationType::kInt8Static;
}

/// Inputs of one shard that lie in one block of 128 and share a scale: [begin, end) of the padded
/// inputs of a matrix. The pieces of a matrix are in ascending order.
struct Piece {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// One panel of a matrix product: 64 outputs of every row of the batch.
struct GemmPanel {
  const bf16* a = nullptr;         // [rows, lda]; E4M3 activations as their BF16 values
  const float* a_scale = nullptr;  // [rows, shards], or null: no scale
  const std::byte* w = nullptr;    // packed panel, see engine/ops/gemm.h
  const float* w_scale = nullptr;  // [64], or null: no scale
  const float* bias = nullptr;     // [64], or null: none
  void* out = nullptr;             // [rows, ldo] floats or bf16 from the panel's first column
  float* scratch = nullptr;        // gemm_scratch_floats()
  std::int64_t rows = 0;
  std::int64_t lda = 0;  // shards * shard_k
  std::int64_t ldo = 0;
  std::int64_t shards = 1;      // 1, 2, 4 or 8
  std::int64_t shard_k = 0;     // padded inputs of a shard, a multiple of 128
  std::int64_t shard_used = 0;  // inputs of a shard that can be other than zero
  WeightType type = WeightType::kBf16;
  bool out_bf16 = false;
  bool integer = false;                       // INT8 times INT8: sums of a shard are exact integers
  const Piece* pieces = nullptr;              // of the matrix, or null: no group scales
  std::int64_t piece_count = 0;               // of all shards
  const float* group_scale = nullptr;         // [pieces, 64]
  const std::uint8_t* zero_point = nullptr;   // [pieces, 64], kInt4
  bool a_scale_groups = false;                // a_scale is [rows, pieces]
  std::uint8_t top_exponent = 0;              // of kBf16Compressed
  const Bf16Exception* exceptions = nullptr;  // of the panel, ascending
  std::int64_t exception_count = 0;
};

/// Rows of the batch that one pass over a panel holds in scratch.
inline constexpr std::int64_t kGemmRowTile = 126;

/// Floats of scratch a thread needs for gemm_panel: four tree levels, the sums of one block, one
/// decoded block and the scales of its rows.
constexpr std::int64_t gemm_scratch_floats() {
  return 5 * kGemmRowTile * kPanelRows + kPanelRows * kBlock / 2 + 2 * kPanelRows;
}

/// acc[r][n] += sum over p of a[r][2p] b[p][n][0] + a[r][2p+1] b[p][n][1], p ascending, in each
/// pair the odd element first.
struct PairDot {
  float* acc = nullptr;     // [rows, ldacc]
  const bf16* a = nullptr;  // [rows, lda]
  const bf16* b = nullptr;  // [pairs, 16 * vectors, 2]
  std::int64_t rows = 0;
  std::int64_t ldacc = 0;
  std::int64_t lda = 0;
  std::int64_t pairs = 0;
  std::int64_t vectors = 0;  // of 16 outputs
};

/// Softmax numerators of one row over one chunk of keys.
struct ChunkSoftmax {
  const float* scores = nullptr;   // [width], width a multiple of 16
  const float* k_scale = nullptr;  // [width] or null
  const float* v_scale = nullptr;  // [width] or null
  bf16* p = nullptr;               // [width]: numerators (times v_scale); 0 from `valid` on
  std::int64_t width = 0;
  std::int64_t valid = 0;  // keys that the row may see, >= 1
  float scale = 1;         // log2(e) / sqrt(head_dim)
};

struct SoftmaxState {
  float max = 0;  // of the scaled scores, base 2
  float sum = 0;  // of the BF16-rounded numerators
};

/// Where a row of activations goes that the next matrix product reads.
struct RowOut {
  bf16* out = nullptr;     // [shards, shard_k], padding not written
  float* scale = nullptr;  // [shards], or [pieces] of kE4m3Group; not written for BF16
  std::int64_t shards = 1;
  std::int64_t shard_used = 0;  // elements of each shard
  std::int64_t shard_k = 0;
  ActivationType type = ActivationType::kBf16;
  float static_scale = 0;         // of the static types
  float amax_bound = 0;           // amax is cut to it; 0: it is not
  const Piece* pieces = nullptr;  // kE4m3Group
  std::int64_t piece_count = 0;
};

struct RmsNormRow {
  const bf16* in = nullptr;       // [cols]
  const float* weight = nullptr;  // [cols]
  float* scratch = nullptr;       // [cols rounded up to 16]
  std::int64_t cols = 0;
  float eps = 0;
};

struct RopeRow {
  bf16* x = nullptr;           // [head_dim], in place; pair (j, j + head_dim / 2)
  const float* cos = nullptr;  // [head_dim / 2]
  const float* sin = nullptr;
  std::int64_t head_dim = 0;
};

/// x = bf16(x + bf16(y * scale + bias)): the folded sums of a row-parallel matrix join the
/// residual stream.
struct ResidualRow {
  const float* y = nullptr;      // [cols]
  const float* scale = nullptr;  // [cols] or null: 1
  const float* bias = nullptr;   // [cols] or null: 0
  std::int64_t cols = 0;
};

/// Log-sum-exp of a row of logits, with what else a single pass over it gives.
struct LogitStats {
  float max = 0;
  std::int64_t argmax = 0;  // ties to the lowest id
  double log_sum_exp = 0;   // natural logarithm
  bool finite = true;       // no NaN and no infinity
};

struct CpuKernels {
  const char* name = "";
  void (*gemm_panel)(const GemmPanel& panel) = nullptr;
  void (*pair_dot)(const PairDot& args) = nullptr;
  SoftmaxState (*chunk_softmax)(const ChunkSoftmax& args) = nullptr;
  /// o[i] = o[i] * a + x[i] * b, for `count` (a multiple of 16) floats.
  void (*fold)(float* o, const float* x, float a, float b, std::int64_t count) = nullptr;
  /// 2^x as every kernel here computes it; x <= 127.
  float (*exp2)(float x) = nullptr;
  void (*rms_norm)(const RmsNormRow& row, const RowOut& out) = nullptr;
  /// x of [shards * shard_used] BF16 values to `out`.
  void (*pack_row)(const bf16* x, float* scratch, const RowOut& out) = nullptr;
  /// silu(gate) * up, in FP32; both [shards * shard_used].
  void (*silu_mul)(const bf16* gate, const bf16* up, float* scratch, const RowOut& out) = nullptr;
  void (*rope)(const RopeRow& row) = nullptr;
  void (*add_residual)(bf16* x, const ResidualRow& row) = nullptr;
  LogitStats (*logit_stats)(const float* logits, std::int64_t count) = nullptr;
  /// [quads, groups] lines of 64 E4M3 codes (engine/ops/gemm.h) to BF16 pairs [2 quads, groups, 16,
  /// 2]: two pairs of inputs from every four.
  void (*decode_lines)(const std::byte* in, bf16* out, std::int64_t quads,
                       std::int64_t groups) = nullptr;

  // ---- weights at load ----
  /// max |x| / 448, at least 2^-40; NaN when a value is not finite.
  float (*e4m3_scale_of)(const float* x, std::int64_t count) = nullptr;
  /// The codes of x / scale; the scale 1 takes codes' own values.
  void (*encode_e4m3)(const float* x, std::int64_t count, float scale, e4m3* out) = nullptr;
  void (*round_bf16)(const float* x, std::int64_t count, bf16* out) = nullptr;
  /// BF16 to FP32; `in` need not be aligned.
  void (*widen_bf16)(const std::byte* in, std::int64_t count, float* out) = nullptr;
  /// Of `quads` times 256 values in the order of a packed panel.
  Bf16Survey (*survey_bf16)(const bf16* panel, std::int64_t quads) = nullptr;
  /// Writes kBf16QuadBytes for each quad, and the panel's exceptions in ascending order.
  void (*compress_bf16)(const bf16* panel, std::int64_t quads, std::uint8_t top, std::byte* out,
                        Bf16Exception* exceptions) = nullptr;
};

const CpuKernels& portable_kernels();
#if defined(__x86_64__)
const CpuKernels& avx2_kernels();
const CpuKernels& avx512_kernels();
#endif

/// Names of the variants this machine can run, best first.
std::vector<std::string> available_cpu_kernels();
/// The variant of that name; "" is the environment's ASSAY_CPU_KERNELS, else the best one.
/// Throws: Error(kInput) for an unknown name or one that this machine cannot run.
const CpuKernels& cpu_kernels(std::string_view name = "");

/// Subnormal results and operands are zero in the calling thread while this lives, as the BF16 dot
/// product instruction has it.
class FlushSubnormals {
 public:
  FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
  FlushSubnormals(FlushSubnormals&&) = delete;
  FlushSubnormals& operator=(FlushSubnormals&&) = delete;

 private:
  std::uint32_t saved_ = 0;
};

}  // namespace assay::engine
