#include "engine/cuda/matrix_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "engine/cuda/device_model.h"
#include "engine/ops/silu_mul.h"

namespace assay::engine {
namespace {

/// How a device holds a format's codes: exactly, in a type that its kernels multiply.
WeightType device_type(WeightType type) {
  switch (type) {
    case WeightType::kE4m3:
    case WeightType::kInt4:
      return WeightType::kE4m3;
    default:
      return WeightType::kBf16;
  }
}

/// The one format of modules that are one matrix on the device.
MatrixFormat common_format(const PrecisionSetting& setting, const WeightSource& source,
                           const std::vector<std::string>& modules) {
  MatrixFormat first = resolve_format(setting, source, modules.front());
  for (const std::string& module : modules) {
    MatrixFormat other = resolve_format(setting, source, module);
    const bool alike = other.weights == first.weights && other.group == first.group &&
                       other.activations == first.activations &&
                       other.input_scale == first.input_scale &&
                       other.amax_bound == first.amax_bound;
    if (!alike) {
      throw_input("{} and {}: on a GPU they are one product and need one setting", modules.front(),
                  module);
    }
  }
  return first;
}

/// Memory of a matrix with its scales.
std::int64_t matrix_bytes(const MatrixLayout& layout) {
  const DeviceMatrix& m = layout.shape;
  std::int64_t bytes = round_up(m.bytes(), kDevicePadding);
  if (layout.format.weights != WeightType::kBf16) bytes += round_up(m.rows * 4, kDevicePadding);
  if (layout.pieces.empty()) return bytes;
  return bytes + round_up(m.rows * m.blocks() * 4, kDevicePadding) +
         round_up(m.blocks() * 8, kDevicePadding);
}

}  // namespace

bool has_group_scales(const MatrixFormat& format) {
  return format.group > 0 && format.weights != WeightType::kE2m1;
}

MatrixLayout layout_of(const MatrixFormat& format, std::int64_t rows, std::int64_t cols, int shards,
                       std::int64_t first_col) {
  MatrixLayout out;
  out.format = format;
  DeviceMatrix& m = out.shape;
  m.type = device_type(format.weights);
  m.rows = static_cast<int>(rows);
  m.shards = shards;
  m.shard_used = static_cast<int>((cols + shards - 1) / shards);
  m.shard_k = static_cast<int>(round_up(m.shard_used, kBlock));
  m.activations = format.activations;
  m.input_scale = format.input_scale;
  m.amax_bound = format.amax_bound;
  if (!has_group_scales(format)) return out;
  // A piece is a block of its own: one scale a block, whatever the shape.
  std::vector<std::vector<InputPiece>> of(static_cast<std::size_t>(shards));
  for (const Piece& piece : make_pieces(shards, m.shard_used, format.group, first_col)) {
    const std::int64_t origin = piece.begin / m.shard_k * m.shard_k;
    of[static_cast<std::size_t>(piece.begin / m.shard_k)].push_back(
        {static_cast<int>(piece.begin - origin), static_cast<int>(piece.end - origin)});
  }
  std::size_t most = 0;
  for (const auto& pieces : of) most = std::max(most, pieces.size());
  for (auto& pieces : of) {
    pieces.resize(most);
    out.pieces.insert(out.pieces.end(), pieces.begin(), pieces.end());
  }
  m.shard_k = static_cast<int>(static_cast<std::int64_t>(most) * kBlock);
  return out;
}

LayerLayouts layer_layouts(const ModelConfig& c, const Partition& partition,
                           const PrecisionSetting& setting, const WeightSource& source,
                           std::int64_t layer) {
  const std::string prefix = fmt::format("model.layers.{}.", layer);
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  const ModelConfig rank = rank_shape(c, partition);
  const auto format = [&](const std::vector<std::string>& modules) {
    return common_format(setting, source, modules);
  };
  const auto row_parallel = [&](const std::string& module, WeightKind kind) {
    const WeightSlice cut = weight_slice(c, partition, kind);
    return layout_of(format({module}), c.hidden, cut.inputs.size(), static_cast<int>(cut.shards),
                     cut.inputs.begin);
  };
  return {
      .qkv = layout_of(format({attention + "q_proj", attention + "k_proj", attention + "v_proj"}),
                       rank.q_width() + 2 * rank.kv_width(), c.hidden, 1),
      .o = row_parallel(attention + "o_proj", WeightKind::kO),
      .gate_up = layout_of(format({mlp + "gate_proj", mlp + "up_proj"}),
                           2 * round_up(rank.intermediate, kGateUpGroup), c.hidden, 1),
      .down = row_parallel(mlp + "down_proj", WeightKind::kDown)};
}

std::int64_t widest_device_input(const DeviceModel& model) {
  std::int64_t most = model.lm_head.inputs();
  for (const DeviceLayer& layer : model.layers) {
    most = std::max(
        {most, layer.qkv.inputs(), layer.o.inputs(), layer.gate_up.inputs(), layer.down.inputs()});
  }
  return most;
}

std::int64_t widest_device_input(const ModelConfig& c, const Partition& partition,
                                 const WeightSource& source, const PrecisionSetting& setting) {
  const MatrixFormat head = resolve_format(setting, source, "lm_head");
  std::int64_t most = layout_of(head, c.vocab, c.hidden, 1).shape.inputs();
  for (std::int64_t n = 0; n < c.layers; ++n) {
    const LayerLayouts l = layer_layouts(c, partition, setting, source, n);
    most = std::max({most, l.qkv.shape.inputs(), l.o.shape.inputs(), l.gate_up.shape.inputs(),
                     l.down.shape.inputs()});
  }
  return most;
}

std::int64_t estimate_device_weight_bytes(const ModelConfig& c, const Partition& partition,
                                          const WeightSource& source,
                                          const PrecisionSetting& setting, std::int64_t context) {
  std::int64_t bytes = context * c.head_dim * 4;
  for (std::int64_t n = 0; n < c.layers; ++n) {
    const LayerLayouts layouts = layer_layouts(c, partition, setting, source, n);
    bytes += matrix_bytes(layouts.qkv) + matrix_bytes(layouts.o) + matrix_bytes(layouts.gate_up) +
             matrix_bytes(layouts.down) + 2 * round_up(c.hidden * 4, kDevicePadding);
  }
  const MatrixFormat head = resolve_format(setting, source, "lm_head");
  const bool shared = c.tied && head.weights == WeightType::kBf16;
  const std::int64_t rows = rank_shape(c, partition).vocab;
  bytes += matrix_bytes(layout_of(head, rows, c.hidden, 1));
  return shared ? bytes : bytes + matrix_bytes(layout_of({}, rows, c.hidden, 1));
}

}  // namespace assay::engine
