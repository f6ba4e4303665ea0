// Matrix products y = W x with weights packed for streaming.
//
// Definition, for every variant and batch (docs/engine.md): K is cut into `shards` equal parts,
// each padded to a multiple of 128. Within a part, a block of 128 inputs is two chains of 64 from
// zero, each adding exact products pair by pair, the odd element first; the two chains are added,
// and block sums are added to the part's sum in ascending order. A part's sum is multiplied by the
// token's scale for that part. The parts are added as a binary tree, ((0+1)+(2+3))+..., then the
// row's scale is applied, then the bias.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/ops/cpu_kernels.h"
#include "engine/ops/memory.h"
#include "engine/parallel/thread_team.h"

namespace assay::engine {

/// Weights [rows, shards * shard_used] in panels of 64 rows. A panel is
/// [shards][shard_k / 2][4][16 rows][2] BF16, or [shards][shard_k / 4][4] lines of 64 E4M3 codes:
/// a line is [4 quarters][2 pairs][4 rows][2], rows ascending over quarter and row, inputs over
/// pair and element, so that one byte interleave gives 16 rows of a pair. Padding is zero.
struct PackedMatrix {
  WeightType type = WeightType::kBf16;
  std::int64_t rows = 0;
  std::int64_t shards = 1;
  std::int64_t shard_used = 0;  // inputs of a shard
  std::int64_t shard_k = 0;     // the same, padded to a multiple of 128
  LargeBuffer data;
  std::vector<float> row_scale;  // [panels * 64]; empty: 1
  std::vector<float> bias;       // [panels * 64]; empty: none

  [[nodiscard]] std::int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  [[nodiscard]] std::int64_t padded_rows() const { return panels() * kPanelRows; }
  [[nodiscard]] std::int64_t inputs() const { return shards * shard_used; }
  [[nodiscard]] std::int64_t padded_inputs() const { return shards * shard_k; }
  [[nodiscard]] std::int64_t panel_bytes() const {
    return padded_inputs() * kPanelRows * (type == WeightType::kBf16 ? 2 : 1);
  }
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
/// The weight as the product uses it, without the row's scale.
float packed_value(const PackedMatrix& matrix, std::int64_t row, std::int64_t input);
/// Row `row` as BF16. REQUIRES: type kBf16, one shard; out holds inputs() values.
void unpack_row(const PackedMatrix& matrix, std::int64_t row, bf16* out);

struct GemmArgs {
  const bf16* a = nullptr;         // [rows, w->padded_inputs()]
  const float* a_scale = nullptr;  // [rows, w->shards] or null
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
