#include "engine/ops/gemm.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace assay::engine {
namespace {

std::int64_t padded_input(const PackedMatrix& matrix, std::int64_t input) {
  return input / matrix.shard_used * matrix.shard_k + input % matrix.shard_used;
}

/// Element index of a weight inside its panel.
std::int64_t bf16_index(std::int64_t row, std::int64_t k) {
  return ((k / 2) * 4 + row / 16) * 32 + (row % 16) * 2 + k % 2;
}

}  // namespace

PackedMatrix make_packed_matrix(WeightType type, std::int64_t rows, std::int64_t shards,
                                std::int64_t shard_used) {
  ASSAY_CHECK(shards == 1 || shards == 2 || shards == 4 || shards == 8, "shards form a tree");
  PackedMatrix matrix;
  matrix.type = type;
  matrix.rows = rows;
  matrix.shards = shards;
  matrix.shard_used = shard_used;
  matrix.shard_k = round_up(shard_used, kBlock);
  matrix.data = LargeBuffer(static_cast<std::size_t>(matrix.bytes()));
  if (type == WeightType::kE4m3) {
    matrix.row_scale.assign(static_cast<std::size_t>(matrix.padded_rows()), 1.0F);
  }
  return matrix;
}

void pack_row(const CpuKernels& kernels, PackedMatrix& matrix, std::int64_t row,
              std::span<const float> values, float scale) {
  ASSAY_CHECK(static_cast<std::int64_t>(values.size()) == matrix.inputs(), "row length");
  constexpr std::int64_t kPiece = 256;  // a multiple of a line's four inputs
  std::byte* panel = matrix.data.data() + row / kPanelRows * matrix.panel_bytes();
  const std::int64_t r = row % kPanelRows;
  for (std::int64_t s = 0; s < matrix.shards; ++s) {
    for (std::int64_t first = 0; first < matrix.shard_used; first += kPiece) {
      const std::int64_t count = std::min(kPiece, matrix.shard_used - first);
      const float* from = values.data() + s * matrix.shard_used + first;
      const std::int64_t k = s * matrix.shard_k + first;
      if (matrix.type == WeightType::kBf16) {
        bf16 piece[kPiece] = {};
        kernels.round_bf16(from, count, piece);
        auto* out = reinterpret_cast<bf16*>(panel);
        for (std::int64_t i = 0; i < count; i += 2) {
          std::memcpy(out + bf16_index(r, k + i), piece + i, 2 * sizeof(bf16));
        }
      } else {
        e4m3 piece[kPiece] = {};
        kernels.encode_e4m3(from, count, scale, piece);
        for (std::int64_t i = 0; i < count; i += 2) {
          std::memcpy(panel + e4m3_line_index(r, k + i, kPanelRows / 16), piece + i, 2);
        }
      }
    }
  }
  if (matrix.type == WeightType::kE4m3) matrix.row_scale[static_cast<std::size_t>(row)] = scale;
}

float packed_value(const PackedMatrix& matrix, std::int64_t row, std::int64_t input) {
  const std::byte* panel = matrix.panel(row / kPanelRows);
  const std::int64_t r = row % kPanelRows;
  const std::int64_t k = padded_input(matrix, input);
  if (matrix.type == WeightType::kBf16) {
    return bf16_to_float(reinterpret_cast<const bf16*>(panel)[bf16_index(r, k)]);
  }
  return e4m3_to_float(static_cast<e4m3>(panel[e4m3_line_index(r, k, kPanelRows / 16)]));
}

void unpack_row(const PackedMatrix& matrix, std::int64_t row, bf16* out) {
  const auto* panel = reinterpret_cast<const bf16*>(matrix.panel(row / kPanelRows));
  const std::int64_t r = row % kPanelRows;
  const bf16* pair = panel + bf16_index(r, 0);
  for (std::int64_t k = 0; k < matrix.shard_used; k += 2, pair += 2 * kPanelRows) {
    out[k] = pair[0];
    if (k + 1 < matrix.shard_used) out[k + 1] = pair[1];
  }
}

CpuContext::CpuContext(const CpuKernels& table, int threads, std::int64_t scratch_floats,
                       int first_core)
    : kernels(&table),
      team(threads, first_core),
      scratch_stride(round_up(scratch_floats, 1024)),
      scratch_buffer(static_cast<std::size_t>(threads * scratch_stride) * sizeof(float)) {}

void gemm_cpu(CpuContext& context, const GemmArgs& args) {
  const PackedMatrix& w = *args.w;
  const std::int64_t element = args.out_bf16 ? 2 : 4;
  context.team.run(w.panels(), [&](std::int64_t panel, int thread) {
    GemmPanel task;
    task.a = args.a;
    task.a_scale = args.a_scale;
    task.w = w.panel(panel);
    const auto first = static_cast<std::size_t>(panel * kPanelRows);
    if (args.finish && !w.row_scale.empty()) task.w_scale = w.row_scale.data() + first;
    if (args.finish && !w.bias.empty()) task.bias = w.bias.data() + first;
    task.out = static_cast<std::byte*>(args.out) + panel * kPanelRows * element;
    task.scratch = context.scratch(thread);
    task.rows = args.rows;
    task.lda = w.padded_inputs();
    task.ldo = args.ldo;
    task.shards = w.shards;
    task.shard_k = w.shard_k;
    task.shard_used = w.shard_used;
    task.type = w.type;
    task.out_bf16 = args.out_bf16;
    context.kernels->gemm_panel(task);
  });
}

std::int64_t gemm_bytes(const PackedMatrix& matrix) {
  return matrix.bytes() + static_cast<std::int64_t>(matrix.row_scale.size() * sizeof(float));
}

std::int64_t gemm_flops(const PackedMatrix& matrix, std::int64_t tokens) {
  return 2 * tokens * matrix.rows * matrix.inputs();
}

}  // namespace assay::engine
