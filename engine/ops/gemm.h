// Matrix products y = W x with weights packed for streaming.
//
// Definition, for every variant and batch (docs/engine.md): K is cut into `shards` equal parts,
// each padded to a multiple of 128. Within a part, a block of 128 inputs is two chains of 64 from
// zero, each adding exact products pair by pair, the odd element first; the two chains are added,
// and block sums are added to the part's sum in ascending order. A part's sum is multiplied by the
// token's scale for that part. The parts are added as a binary tree, ((0+1)+(2+3))+..., then the
// row's scale is applied, then the bias.
//
// Where groups of inputs have scales (`group`, counted from the whole matrix's first input), a
// block of E4M3 or INT4 weights is cut at the groups' boundaries into pieces; the sum of a piece is
// multiplied by the row's scale for it, then by the token's if activations are quantized in groups,
// and joins the part's sum. E2M1 weights are multiplied by their scale first, which is exact in
// BF16. INT8 weights with INT8 activations give exact integer sums of a part.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/ops/cpu_kernels.h"
#include "engine/ops/memory.h"
#include "engine/parallel/thread_team.h"

namespace assay::engine {

/// Weights [rows, shards * shard_used] in panels of 64 rows. A panel is
/// [shards][shard_k / 2][4][16 rows][2] BF16, compressed or not (bf16_compression.h), or
/// [shards][shard_k / 4][4] lines of 64 codes:
/// a line is [4 quarters][2 pairs][4 rows][2], rows ascending over quarter and row, inputs over
/// pair and element, so that one byte interleave gives 16 rows of a pair. A line of four-bit codes
/// is 32 bytes, codes i and i + 32 in byte i. Padding is zero (INT4: anything).
struct PackedMatrix {
  WeightType type = WeightType::kBf16;
  ActivationType activations = ActivationType::kBf16;  // what the product's input is rounded to
  float input_scale = 0;                               // of static activations
  float amax_bound = 0;                                // RowOut::amax_bound
  std::int64_t rows = 0;
  std::int64_t shards = 1;
  std::int64_t shard_used = 0;  // inputs of a shard
  std::int64_t shard_k = 0;     // the same, padded to a multiple of 128
  LargeBuffer data;
  std::vector<float> row_scale;           // [panels * 64]; empty: 1
  std::vector<float> bias;                // [panels * 64]; empty: none
  std::int64_t group = 0;                 // inputs that share a scale; 0: all of a row
  std::int64_t first_input = 0;           // of the whole matrix, where this part of it begins
  std::vector<Piece> pieces;              // empty without groups
  std::vector<float> group_scale;         // [panels][pieces][64]
  std::vector<std::uint8_t> zero_points;  // the same, kInt4
  // kBf16Compressed:
  std::vector<std::uint8_t> top_exponents;    // [panels]
  std::vector<std::size_t> exception_begins;  // [panels + 1]
  std::vector<Bf16Exception> exceptions;      // panel after panel

  [[nodiscard]] std::int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  [[nodiscard]] std::int64_t padded_rows() const { return panels() * kPanelRows; }
  [[nodiscard]] std::int64_t inputs() const { return shards * shard_used; }
  [[nodiscard]] std::int64_t padded_inputs() const { return shards * shard_k; }
  [[nodiscard]] std::int64_t panel_bytes() const {
    return padded_inputs() * kPanelRows * weight_bits(type) / 8;
  }
  /// Scales of a row of its input.
  [[nodiscard]] std::int64_t input_scales() const {
    return activations == ActivationType::kE4m3Group ? static_cast<std::int64_t>(pieces.size())
                                                     : shards;
  }
  [[nodiscard]] bool is_bf16() const {
    return type == WeightType::kBf16 || type == WeightType::kBf16Compressed;
  }
  [[nodiscard]] bool integer() const { return type == WeightType::kInt8 && is_int8(activations); }
  [[nodiscard]] std::int64_t bytes() const { return panels() * panel_bytes(); }
  [[nodiscard]] const std::byte* panel(std::int64_t index) const {
    return data.data() + index * panel_bytes();
  }
};

/// Index of the code of (row, input) among the lines of 64 described above, `groups` lines of 16
/// rows for every four inputs. A panel of a matrix has 4 groups.
constexpr std::int64_t e4m3_line_index(std::int64_t row, std::int64_t input, std::int64_t groups) {
  const std::int64_t in_group = row % 16;
  return (input / 4 * groups + row / 16) * 64 + in_group / 4 * 16 + input % 4 / 2 * 8 +
         in_group % 4 * 2 + input % 2;
}

/// An empty matrix with its memory. REQUIRES: shards 1, 2, 4 or 8.
PackedMatrix make_packed_matrix(WeightType type, std::int64_t rows, std::int64_t shards,
                                std::int64_t shard_used);
/// Stores one row; E4M3 values are encode(value / scale). Different panels may be written by
/// different threads at once.
void pack_row(const CpuKernels& kernels, PackedMatrix& matrix, std::int64_t row,
              std::span<const float> values, float scale);
/// Cuts the inputs of a matrix at multiples of `group`, of 128 inside a shard, and at shards.
std::vector<Piece> make_pieces(std::int64_t shards, std::int64_t shard_used, std::int64_t group,
                               std::int64_t first_input);
/// Makes `matrix` one with group scales, all 1. REQUIRES: fresh.
void set_groups(PackedMatrix& matrix, std::int64_t group, std::int64_t first_input);
/// Codes of one row as values (INT4: 0..15), a scale and a zero point (or none) for each group of
/// the whole row from the one that holds first_input on, and the row's own scale.
struct PackedRow {
  std::span<const float> codes;               // [inputs()]
  std::span<const float> group_scale;         // empty without groups
  std::span<const std::uint8_t> zero_points;  // kInt4
  float row_scale = 1;
};
/// Stores one row of codes. Different panels may be written by different threads at once.
void pack_codes(const CpuKernels& kernels, PackedMatrix& matrix, std::int64_t row,
                const PackedRow& from);
/// The code as the product uses it (INT4: less its zero point), without any scale.
float packed_value(const PackedMatrix& matrix, std::int64_t row, std::int64_t input);
/// Compresses BF16 weights in place, on the team, unless too many have rare exponents: then the
/// matrix stays as it is. Memory that is not needed any more goes back to the system.
void compress_matrix(const CpuKernels& kernels, PackedMatrix& matrix, ThreadTeam& team);
/// Row `row` as BF16. REQUIRES: BF16, compressed or not; one shard; out holds inputs() values.
void unpack_row(const PackedMatrix& matrix, std::int64_t row, bf16* out);

struct GemmArgs {
  const bf16* a = nullptr;         // [rows, w->padded_inputs()]
  const float* a_scale = nullptr;  // [rows, w->input_scales()] or null
  const PackedMatrix* w = nullptr;
  void* out = nullptr;   // [rows, ldo], bf16 or float; columns up to w->padded_rows() are written
  std::int64_t ldo = 0;  // REQUIRES: >= w->padded_rows()
  std::int64_t rows = 0;
  bool out_bf16 = true;
  bool finish = true;  // apply the row scale and the bias; false: sums that other ranks complete
};

/// Defines the result, by scalar code.
void gemm_ref(const GemmArgs& args);

/// Kernels, threads and scratch of one rank.
struct CpuContext {
  /// `first_core`: see ThreadTeam.
  CpuContext(const CpuKernels& table, int threads, std::int64_t scratch_floats,
             int first_core = -1);
  const CpuKernels* kernels;
  ThreadTeam team;
  [[nodiscard]] float* scratch(int thread) {
    return scratch_buffer.as<float>() + thread * scratch_stride;
  }
  std::int64_t scratch_stride;  // floats of each thread
  LargeBuffer scratch_buffer;
};

/// The reference's bits, on the team's threads.
void gemm_cpu(CpuContext& context, const GemmArgs& args);

/// Bytes that must be read at least: the weights and their scales.
std::int64_t gemm_bytes(const PackedMatrix& matrix);
/// Multiplications and additions of `tokens` rows.
std::int64_t gemm_flops(const PackedMatrix& matrix, std::int64_t tokens);

}  // namespace assay::engine
