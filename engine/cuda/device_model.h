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
  DeviceMatrix o;                         // [h, H d], the partition's shards of K
  const float* mlp_norm = nullptr;        // [h]
  DeviceMatrix gate_up;                   // [2 i padded to 8, h], rows as gate_up_row says
  DeviceMatrix down;                      // [h, i], as many shards
};

/// What one rank holds; H, Hkv, i and V are the rank's. Immutable once loaded.
struct DeviceModel {
  ModelConfig config;   // of the whole model
  ModelConfig shape;    // rank_shape(config, partition)
  Partition partition;  // of a model on one device: all of it
  PrecisionSetting setting;
  std::vector<DeviceLayer> layers;
  const float* final_norm = nullptr;
  DeviceMatrix lm_head;             // [V, h]
  const bf16* embedding = nullptr;  // [V, embedding_ld]; lm_head's when tied and BF16. Row 0 is
                                    // partition.vocab.begin, rows beyond its end are zero
  int embedding_ld = 0;
  const float* kv_scales = nullptr;  // [layers, Hkv, 2], static scales of an FP8 cache; or null
  const float* rope_cos = nullptr;   // [context, d / 2]
  const float* rope_sin = nullptr;
  std::vector<DeviceBuffer> memory;

  [[nodiscard]] std::int64_t bytes() const;
};

/// Reads, copies and quantizes matrix by matrix through two pinned buffers, so that the device
/// works while `threads` host threads read. Random weights are made on the device. Integer, 4-bit
/// and block formats, and what a checkpoint stores quantized, are made codes on the host; integers
/// of 8 bits and 4-bit floats are held as BF16 values, integers of 4 bits as E4M3 values, exactly.
/// The device needs no more than the weights and two chunks of 32 MiB of FP32 rows.
/// Throws: Error(kInput) where q, k and v, or gate and up, of a layer differ in format.
/// Scales are those of the uncut rows and tensors, so every rank's codes are the whole model's.
DeviceModel load_device_model(const ModelConfig& config, const Partition& partition,
                              const WeightSource& source, const PrecisionSetting& setting,
                              std::int64_t context, int threads);

/// Padded inputs of the widest matrix.
std::int64_t widest_device_input(const DeviceModel& model);
/// The same before loading.
std::int64_t widest_device_input(const ModelConfig& config, const Partition& partition,
                                 const WeightSource& source, const PrecisionSetting& setting);
/// Device memory that `load_device_model` will need.
std::int64_t estimate_device_weight_bytes(const ModelConfig& config, const Partition& partition,
                                          const WeightSource& source,
                                          const PrecisionSetting& setting, std::int64_t context);

}  // namespace assay::engine
