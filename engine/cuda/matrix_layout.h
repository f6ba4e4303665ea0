// How the matrices of a model lie in device memory, before there is any: types, padding, and which
// inputs a block of 128 holds. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model.h"
#include "engine/ops/device_gemm.h"

namespace assay::engine {

constexpr std::int64_t kDevicePadding = 256;  // matrices begin at multiples of it

/// Codes with scales of groups beside them; FP4 codes are held with the scales applied.
bool has_group_scales(const MatrixFormat& format);

/// A matrix without memory, and, where inputs have scales in groups, what its blocks hold.
struct MatrixLayout {
  DeviceMatrix shape;
  std::vector<InputPiece> pieces;
  MatrixFormat format;
};
MatrixLayout layout_of(const MatrixFormat& format, std::int64_t rows, std::int64_t cols,
                       int shards);

struct LayerLayouts {
  MatrixLayout qkv, o, gate_up, down;
};
/// Throws: Error(kInput) where modules that are one product differ in format.
LayerLayouts layer_layouts(const ModelConfig& config, const PrecisionSetting& setting,
                           const WeightSource& source, std::int64_t layer);

}  // namespace assay::engine
