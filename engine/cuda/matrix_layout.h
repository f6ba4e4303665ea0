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
/// `first_col`: of the whole tensor's columns, where a rank's `cols` begin.
MatrixLayout layout_of(const MatrixFormat& format, std::int64_t rows, std::int64_t cols, int shards,
                       std::int64_t first_col = 0);

struct LayerLayouts {
  MatrixLayout qkv, o, gate_up, down;
};
/// Of a rank. Throws: Error(kInput) where modules that are one product differ in format.
LayerLayouts layer_layouts(const ModelConfig& config, const Partition& partition,
                           const PrecisionSetting& setting, const WeightSource& source,
                           std::int64_t layer);

}  // namespace assay::engine
