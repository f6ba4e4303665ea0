#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/ops/gemm.h"

namespace assay::engine {
namespace {

/// 64 inputs from zero, in pairs, the odd element first. `w` and `a` are BF16 values.
float chain_sum(const std::vector<float>& w, const bf16* a, std::int64_t begin, std::int64_t end) {
  float sum = 0;
  for (std::int64_t k = begin; k < end; k += 2) {
    sum = std::fma(w[static_cast<std::size_t>(k + 1)], bf16_to_float(a[k + 1]), sum);
    sum = std::fma(w[static_cast<std::size_t>(k)], bf16_to_float(a[k]), sum);
  }
  return sum;
}

float shard_sum(const std::vector<float>& w, const bf16* a, std::int64_t begin, std::int64_t end) {
  float sum = 0;
  for (std::int64_t k = begin; k < end; k += kBlock) {
    const std::int64_t middle = k + kBlock / 2;
    sum += chain_sum(w, a, k, middle) + chain_sum(w, a, middle, k + kBlock);
  }
  return sum;
}

/// Where inputs have scales in groups, piece by piece: products outside the piece are left out.
float grouped_sum(const GemmArgs& args, const std::vector<float>& w, const bf16* a,
                  std::int64_t token, std::int64_t row, std::int64_t shard) {
  const PackedMatrix& m = *args.w;
  float total = 0;
  for (std::size_t i = 0; i < m.pieces.size(); ++i) {
    const Piece& piece = m.pieces[i];
    if (piece.begin / m.shard_k != shard) continue;
    std::vector<float> part(w.size());
    std::copy(w.begin() + piece.begin, w.begin() + piece.end, part.begin() + piece.begin);
    const std::int64_t block = piece.begin / kBlock * kBlock;
    float sum = shard_sum(part, a, block, block + kBlock);
    const auto at = static_cast<std::size_t>(row / kPanelRows) * m.pieces.size() + i;
    sum *= m.group_scale[at * kPanelRows + static_cast<std::size_t>(row % kPanelRows)];
    if (m.activations == ActivationType::kE4m3Group) {
      sum *= args.a_scale[static_cast<std::size_t>(token) * m.pieces.size() + i];
    }
    total += sum;
  }
  return total;
}

/// INT8 times INT8: exact.
float integer_sum(const std::vector<float>& w, const bf16* a, std::int64_t begin,
                  std::int64_t end) {
  std::int32_t sum = 0;
  for (std::int64_t k = begin; k < end; ++k) {
    sum += static_cast<std::int32_t>(w[static_cast<std::size_t>(k)]) *
           static_cast<std::int32_t>(bf16_to_float(a[k]));
  }
  return static_cast<float>(sum);
}

/// E2M1 codes times the scale of their group: BF16 values.
void apply_group_scales(const PackedMatrix& m, std::int64_t row, std::vector<float>& w) {
  for (std::size_t i = 0; i < m.pieces.size(); ++i) {
    const auto at = static_cast<std::size_t>(row / kPanelRows) * m.pieces.size() + i;
    for (std::int64_t k = m.pieces[i].begin; k < m.pieces[i].end; ++k) {
      w[static_cast<std::size_t>(k)] *=
          m.group_scale[at * kPanelRows + static_cast<std::size_t>(row % kPanelRows)];
    }
  }
}

/// A row's weights with the padding of the packed form.
std::vector<float> padded_weights(const PackedMatrix& matrix, std::int64_t row) {
  std::vector<float> w(static_cast<std::size_t>(matrix.padded_inputs()));
  for (std::int64_t i = 0; i < matrix.inputs(); ++i) {
    const std::int64_t k = i / matrix.shard_used * matrix.shard_k + i % matrix.shard_used;
    w[static_cast<std::size_t>(k)] = packed_value(matrix, row, i);
  }
  if (matrix.type == WeightType::kE2m1) apply_group_scales(matrix, row, w);
  return w;
}

float output(const GemmArgs& args, const std::vector<float>& w, std::int64_t token,
             std::int64_t row) {
  const PackedMatrix& m = *args.w;
  const bf16* a = args.a + token * m.padded_inputs();
  std::vector<float> parts;
  for (std::int64_t s = 0; s < m.shards; ++s) {
    const std::int64_t begin = s * m.shard_k;
    const bool grouped = !m.pieces.empty() && m.type != WeightType::kE2m1;
    float sum = grouped       ? grouped_sum(args, w, a, token, row, s)
                : m.integer() ? integer_sum(w, a, begin, begin + m.shard_k)
                              : shard_sum(w, a, begin, begin + m.shard_k);
    if (args.a_scale != nullptr && m.activations != ActivationType::kE4m3Group)
      sum *= args.a_scale[token * m.shards + s];
    parts.push_back(sum);
  }
  for (; parts.size() > 1; parts.resize(parts.size() / 2)) {
    for (std::size_t i = 0; i < parts.size() / 2; ++i) parts[i] = parts[2 * i] + parts[2 * i + 1];
  }
  float value = parts[0];
  if (args.finish && !m.row_scale.empty()) value *= m.row_scale[static_cast<std::size_t>(row)];
  if (args.finish && !m.bias.empty()) value += m.bias[static_cast<std::size_t>(row)];
  return value;
}

}  // namespace

void gemm_ref(const GemmArgs& args) {
  for (std::int64_t row = 0; row < args.w->rows; ++row) {
    const std::vector<float> w = padded_weights(*args.w, row);
    for (std::int64_t token = 0; token < args.rows; ++token) {
      const float value = output(args, w, token, row);
      if (args.out_bf16) {
        static_cast<bf16*>(args.out)[token * args.ldo + row] = float_to_bf16(value);
      } else {
        static_cast<float*>(args.out)[token * args.ldo + row] = value;
      }
    }
  }
}

}  // namespace assay::engine
