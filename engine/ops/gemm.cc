#include "engine/ops/gemm.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/check.h"

namespace assay::engine {
namespace {

std::int64_t padded_input(const PackedMatrix& matrix, std::int64_t input) {
  return input / matrix.shard_used * matrix.shard_k + input % matrix.shard_used;
}

/// The piece that holds padded input k.
std::int64_t piece_of(const PackedMatrix& matrix, std::int64_t k) {
  const auto next =
      std::upper_bound(matrix.pieces.begin(), matrix.pieces.end(), k,
                       [](std::int64_t value, const Piece& piece) { return value < piece.begin; });
  return next - matrix.pieces.begin() - 1;
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
  if (type != WeightType::kBf16) {
    matrix.row_scale.assign(static_cast<std::size_t>(matrix.padded_rows()), 1.0F);
  }
  return matrix;
}

std::vector<Piece> make_pieces(std::int64_t shards, std::int64_t shard_used, std::int64_t group,
                               std::int64_t first_input) {
  std::vector<Piece> out;
  const std::int64_t shard_k = round_up(shard_used, kBlock);
  for (std::int64_t s = 0; s < shards; ++s) {
    const std::int64_t origin = first_input + s * shard_used;
    for (std::int64_t at = 0; at < shard_used;) {
      const std::int64_t group_end = (origin + at) / group * group + group - origin;
      const std::int64_t block_end = at / kBlock * kBlock + kBlock;
      const std::int64_t end = std::min({group_end, block_end, shard_used});
      out.push_back({s * shard_k + at, s * shard_k + end});
      at = end;
    }
  }
  return out;
}

void set_groups(PackedMatrix& matrix, std::int64_t group, std::int64_t first_input) {
  ASSAY_CHECK(group > 0, "inputs of a group");
  matrix.group = group;
  matrix.first_input = first_input;
  matrix.pieces = make_pieces(matrix.shards, matrix.shard_used, group, first_input);
  const auto scales = static_cast<std::size_t>(matrix.padded_rows()) * matrix.pieces.size();
  matrix.group_scale.assign(scales, 1.0F);
  if (matrix.type == WeightType::kInt4) matrix.zero_points.assign(scales, 0);
}

namespace {

/// The codes of `count` (even or last) values at `k` of row r of a panel.
void store_codes(const CpuKernels& kernels, WeightType type, std::byte* panel, std::int64_t r,
                 std::int64_t k, std::span<const float> values) {
  constexpr std::int64_t kGroups = kPanelRows / 16;
  if (type == WeightType::kE4m3) {
    e4m3 piece[kBlock];
    kernels.encode_e4m3(values.data(), static_cast<std::int64_t>(values.size()), 1, piece);
    for (std::size_t i = 0; i < values.size(); ++i) {
      panel[e4m3_line_index(r, k + static_cast<std::int64_t>(i), kGroups)] = std::byte{piece[i]};
    }
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t at = e4m3_line_index(r, k + static_cast<std::int64_t>(i), kGroups);
    if (type == WeightType::kInt8) {
      panel[at] = static_cast<std::byte>(static_cast<std::int8_t>(values[i]));
      continue;
    }
    const unsigned code =
        type == WeightType::kE2m1 ? float_to_e2m1(values[i]) : static_cast<unsigned>(values[i]);
    std::byte& byte = panel[at / 64 * 32 + at % 32];
    byte |= static_cast<std::byte>(at % 64 < 32 ? code : code << 4);
  }
}

}  // namespace

void pack_codes(const CpuKernels& kernels, PackedMatrix& matrix, std::int64_t row,
                const PackedRow& from) {
  ASSAY_CHECK(static_cast<std::int64_t>(from.codes.size()) == matrix.inputs(), "row length");
  std::byte* panel = matrix.data.data() + row / kPanelRows * matrix.panel_bytes();
  const std::int64_t r = row % kPanelRows;
  for (std::int64_t s = 0; s < matrix.shards; ++s) {
    for (std::int64_t first = 0; first < matrix.shard_used; first += kBlock) {
      const std::int64_t count = std::min(kBlock, matrix.shard_used - first);
      store_codes(kernels, matrix.type, panel, r, s * matrix.shard_k + first,
                  from.codes.subspan(static_cast<std::size_t>(s * matrix.shard_used + first),
                                     static_cast<std::size_t>(count)));
    }
  }
  matrix.row_scale[static_cast<std::size_t>(row)] = from.row_scale;
  const std::size_t pieces = matrix.pieces.size();
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::int64_t begin = matrix.pieces[i].begin;
    const std::int64_t input =
        matrix.first_input + begin / matrix.shard_k * matrix.shard_used + begin % matrix.shard_k;
    const auto group =
        static_cast<std::size_t>(input / matrix.group - matrix.first_input / matrix.group);
    const std::size_t at = (static_cast<std::size_t>(row / kPanelRows) * pieces + i) * kPanelRows +
                           static_cast<std::size_t>(r);
    matrix.group_scale[at] = from.group_scale[group];
    if (!matrix.zero_points.empty()) matrix.zero_points[at] = from.zero_points[group];
  }
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

namespace {

std::span<const Bf16Exception> exceptions_of(const PackedMatrix& matrix, std::int64_t panel) {
  const auto at = static_cast<std::size_t>(panel);
  return std::span(matrix.exceptions)
      .subspan(matrix.exception_begins[at],
               matrix.exception_begins[at + 1] - matrix.exception_begins[at]);
}

bf16 compressed_value(const PackedMatrix& matrix, std::int64_t panel, std::int64_t position) {
  const std::span<const Bf16Exception> all = exceptions_of(matrix, panel);
  const auto found = std::lower_bound(
      all.begin(), all.end(), position,
      [](const Bf16Exception& e, std::int64_t value) { return e.position < value; });
  if (found != all.end() && found->position == position) return found->value;
  return compressed_bf16_at(matrix.panel(panel),
                            matrix.top_exponents[static_cast<std::size_t>(panel)], position);
}

}  // namespace

void compress_matrix(const CpuKernels& kernels, PackedMatrix& matrix, ThreadTeam& team) {
  ASSAY_CHECK(matrix.type == WeightType::kBf16, "only BF16 is compressed");
  constexpr std::int64_t kMaxExceptions = 128;  // one in so many weights: half a bit a weight more
  const auto panels = static_cast<std::size_t>(matrix.panels());
  const std::int64_t quads = kPanelRows * matrix.padded_inputs() / kBf16QuadValues;
  const auto values = static_cast<std::size_t>(quads * kBf16QuadValues);
  const auto plain = static_cast<std::size_t>(matrix.panel_bytes());
  const auto decoded = [&](std::int64_t panel) {
    return reinterpret_cast<const bf16*>(matrix.panel(panel));
  };
  std::vector<std::uint8_t> tops(panels);
  std::vector<std::size_t> begins(panels + 1);
  team.run(matrix.panels(), [&](std::int64_t panel, int /*thread*/) {
    const Bf16Survey survey = kernels.survey_bf16(decoded(panel), quads);
    tops[static_cast<std::size_t>(panel)] = survey.top;
    begins[static_cast<std::size_t>(panel) + 1] = static_cast<std::size_t>(survey.exceptions);
  });
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  if (begins.back() > values * panels / kMaxExceptions) return;

  // Each panel in its own place first, so that panels can be done in any order, then side by side.
  const std::size_t compressed = values * 3 / 2;
  matrix.exceptions.resize(begins.back());
  team.run(matrix.panels(), [&](std::int64_t panel, int /*thread*/) {
    std::vector<std::byte> out(compressed);
    const auto at = static_cast<std::size_t>(panel);
    kernels.compress_bf16(decoded(panel), quads, tops[at], out.data(),
                          matrix.exceptions.data() + begins[at]);
    std::memcpy(matrix.data.data() + at * plain, out.data(), compressed);
  });
  for (std::size_t panel = 1; panel < panels; ++panel) {
    std::memmove(matrix.data.data() + panel * compressed, matrix.data.data() + panel * plain,
                 compressed);
  }
  matrix.data.shrink(panels * compressed);
  matrix.type = WeightType::kBf16Compressed;
  matrix.top_exponents = std::move(tops);
  matrix.exception_begins = std::move(begins);
}

float packed_value(const PackedMatrix& matrix, std::int64_t row, std::int64_t input) {
  const std::byte* panel = matrix.panel(row / kPanelRows);
  const std::int64_t r = row % kPanelRows;
  const std::int64_t k = padded_input(matrix, input);
  if (matrix.type == WeightType::kBf16) {
    return bf16_to_float(reinterpret_cast<const bf16*>(panel)[bf16_index(r, k)]);
  }
  if (matrix.type == WeightType::kBf16Compressed) {
    return bf16_to_float(compressed_value(matrix, row / kPanelRows, bf16_index(r, k)));
  }
  const std::int64_t at = e4m3_line_index(r, k, kPanelRows / 16);
  if (matrix.type == WeightType::kInt8) {
    return static_cast<float>(static_cast<std::int8_t>(panel[at]));
  }
  if (weight_bits(matrix.type) == 4) {
    const auto byte = static_cast<unsigned>(panel[at / 64 * 32 + at % 32]);
    const unsigned code = at % 64 < 32 ? byte & 15U : byte >> 4;
    if (matrix.type == WeightType::kE2m1) return e2m1_to_float(static_cast<e2m1>(code));
    const std::uint8_t zero = matrix.zero_points[static_cast<std::size_t>(
        (row / kPanelRows * static_cast<std::int64_t>(matrix.pieces.size()) + piece_of(matrix, k)) *
            kPanelRows +
        r)];
    return static_cast<float>(code) - static_cast<float>(zero);
  }
  return e4m3_to_float(static_cast<e4m3>(panel[e4m3_line_index(r, k, kPanelRows / 16)]));
}

void unpack_row(const PackedMatrix& matrix, std::int64_t row, bf16* out) {
  const std::int64_t r = row % kPanelRows;
  if (matrix.type == WeightType::kBf16Compressed) {
    const std::int64_t at = row / kPanelRows;
    const std::uint8_t top = matrix.top_exponents[static_cast<std::size_t>(at)];
    for (std::int64_t k = 0; k < matrix.shard_used; ++k) {
      out[k] = compressed_bf16_at(matrix.panel(at), top, bf16_index(r, k));
    }
    for (const Bf16Exception& e : exceptions_of(matrix, at)) {
      const std::int64_t k = e.position / (2 * kPanelRows) * 2 + e.position % 2;
      if (e.position / 2 % kPanelRows == r && k < matrix.shard_used) out[k] = e.value;
    }
    return;
  }
  const auto* panel = reinterpret_cast<const bf16*>(matrix.panel(row / kPanelRows));
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
    task.integer = w.integer();
    if (w.type == WeightType::kBf16Compressed) {
      const std::span<const Bf16Exception> exceptions = exceptions_of(w, panel);
      task.top_exponent = w.top_exponents[static_cast<std::size_t>(panel)];
      task.exceptions = exceptions.data();
      task.exception_count = static_cast<std::int64_t>(exceptions.size());
    }
    if (!w.pieces.empty()) {
      const std::size_t at = first * w.pieces.size();
      task.pieces = w.pieces.data();
      task.piece_count = static_cast<std::int64_t>(w.pieces.size());
      task.group_scale = w.group_scale.data() + at;
      if (!w.zero_points.empty()) task.zero_point = w.zero_points.data() + at;
      task.a_scale_groups = w.activations == ActivationType::kE4m3Group;
    }
    context.kernels->gemm_panel(task);
  });
}

std::int64_t gemm_bytes(const PackedMatrix& matrix) {
  const std::size_t scales = matrix.row_scale.size() + matrix.group_scale.size();
  return matrix.bytes() +
         static_cast<std::int64_t>(scales * sizeof(float) + matrix.zero_points.size() +
                                   matrix.exceptions.size() * sizeof(Bf16Exception));
}

std::int64_t gemm_flops(const PackedMatrix& matrix, std::int64_t tokens) {
  return 2 * tokens * matrix.rows * matrix.inputs();
}

}  // namespace assay::engine
