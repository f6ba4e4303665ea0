// The weights of a Llama model in device memory: the tensors of engine/model.h, row-major, gate and
// up in one matrix whose rows alternate in groups of eight.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/cuda/runtime.h"
#include "engine/model.h"
#include "engine/model_config.h"
#include "engine/ops/device_gemm.h"
#include "engine/settings.h"

namespace assay::engine {

/// Views into DeviceModel::memory.
struct DeviceLayer {
  const float* attention_norm = nullptr;  // [h]
  DeviceMatrix qkv;                       // [(H + 2 Hkv) d, h]
  DeviceMatrix o;                         // [h, H d], 8 shards of K
  const float* mlp_norm = nullptr;        // [h]
  DeviceMatrix gate_up;                   // [2 i padded to 8, h], rows as gate_up_row says
  DeviceMatrix down;                      // [h, i], 8 shards of K
};

/// Immutable once loaded.
struct DeviceModel {
  ModelConfig config;
  PrecisionSetting setting;
  std::vector<DeviceLayer> layers;
  const float* final_norm = nullptr;
  DeviceMatrix lm_head;             // [V, h], BF16
  const bf16* embedding = nullptr;  // [V, embedding_ld]; lm_head's when tied
  int embedding_ld = 0;
  const float* rope_cos = nullptr;  // [context, d / 2]
  const float* rope_sin = nullptr;
  std::vector<DeviceBuffer> memory;

  [[nodiscard]] std::int64_t bytes() const;
};

/// Reads, copies and quantizes matrix by matrix through two pinned buffers, so that the device
/// works while `threads` host threads read. Random weights are made on the device. The device
/// needs no more than the weights and two chunks of 32 MiB of FP32 rows.
DeviceModel load_device_model(const ModelConfig& config, const WeightSource& source,
                              const PrecisionSetting& setting, std::int64_t context, int threads);

/// Device memory that `load_device_model` will need.
std::int64_t estimate_device_weight_bytes(const ModelConfig& config,
                                          const PrecisionSetting& setting, std::int64_t context);

}  // namespace assay::engine
