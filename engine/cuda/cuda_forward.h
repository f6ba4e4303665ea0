// The forward pass on a device as a list of kernels: the same list as engine/forward.cc.
#pragma once

#include <cstdint>

#include "engine/cuda/device_model.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/runtime.h"
#include "engine/ops/device_cache.h"
#include "engine/ops/embed.h"
#include "engine/ops/next_input.h"
#include "engine/ops/paged_attention.h"
#include "engine/ops/rms_norm.h"

namespace assay::engine {

/// A step in device memory (engine/cuda/step_plan.h).
struct DeviceStep {
  StepTokens tokens;
  DeviceRows rows;
  const AttentionTile* tiles = nullptr;
  int decode_tiles = 0;
  int prompt_tiles = 0;
  int spans = 1;
};

/// One rank. Owns its activations. All work is enqueued on one stream; nothing waits. Between the
/// steps below, sums wait to be added to the residual stream; with several ranks they are this
/// rank's, and whoever drives the ranks folds them first (engine/cuda/device_ranks.h).
class CudaForward {
 public:
  /// `model` and `gemm` must outlive it. `most_spans`: of the longest sequence.
  CudaForward(const DeviceModel& model, GemmRunner& gemm, AttentionKind attention, KvType kv,
              std::int64_t pages, int max_rows, int most_spans);

  void embed(CudaStream stream, const DeviceStep& step);
  void attention_block(CudaStream stream, const DeviceStep& step, std::int64_t layer);
  void mlp_block(CudaStream stream, const DeviceStep& step, std::int64_t layer);
  /// The sums that wait: nodes [sum_parts(), rows, h] of the tree.
  [[nodiscard]] float* sums() const { return sums_.as<float>(); }
  [[nodiscard]] int sum_parts() const { return pending_parts_; }
  /// The first node is now the sum of all ranks.
  void folded() { pending_parts_ = 1; }
  /// Logits [count, logits_ld()] of rows row_of[0, count) (device memory). REQUIRES: count <=
  /// kLogitRows, all layers before.
  void logits(CudaStream stream, const int* row_of, int count, int rows);

  [[nodiscard]] float* logits_data() const { return logits_.as<float>(); }
  [[nodiscard]] int logits_ld() const { return model_.lm_head.rows; }
  [[nodiscard]] std::int64_t bytes() const;

  static constexpr int kLogitRows = 512;

  struct Memory {
    std::int64_t activations = 0;  // for one step of max_rows
    std::int64_t page = 0;         // one page of keys and values
  };
  /// Of a rank of shape `config`. `widest`: of widest_device_input.
  static Memory memory_for(const ModelConfig& config, GemmKind gemm, KvType kv, int max_rows,
                           int most_spans, std::int64_t widest);

 private:
  void norm(CudaStream stream, const float* weight, int rows, const DeviceMatrix& next);
  void multiply(CudaStream stream, const DeviceMatrix& w, int rows, bf16* out);
  void row_parallel(CudaStream stream, const DeviceMatrix& w, int rows);
  void add_pending(RmsNormArgs& args, int rows);
  [[nodiscard]] NextInput next_input(const DeviceMatrix& next) const;
  [[nodiscard]] float* input_scales(const DeviceMatrix& next) const;
  [[nodiscard]] DeviceCache cache(std::int64_t layer) const;

  const DeviceModel& model_;
  GemmRunner& gemm_;
  AttentionKind attention_;
  KvType kv_;
  std::int64_t pages_;
  int max_rows_;
  const DeviceMatrix* pending_ = nullptr;  // what finishes the sums that wait
  int pending_parts_ = 1;
  DeviceBuffer x_;         // [rows, h] residual stream
  DeviceBuffer input_;     // [rows, inputs of the widest matrix], what the next product reads
  DeviceBuffer scale_;     // [rows, 8 or blocks]
  DeviceBuffer qkv_;       // [rows, (H + 2 Hkv) d]
  DeviceBuffer mixed_;     // [rows, H d] attention output
  DeviceBuffer gate_up_;   // [rows, 2 i]
  DeviceBuffer sums_;      // [parts, rows, h] FP32
  DeviceBuffer logits_;    // [kLogitRows, V] FP32
  DeviceBuffer partials_;  // attention over several spans
  DeviceBuffer cache_;     // [layers, pages + 1, Hkv, 2, 64, d]
  DeviceBuffer cache_scales_;
};

}  // namespace assay::engine
