// The forward pass of a Llama model over a ragged batch on one rank of the CPU, as a list of ops.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/batch.h"
#include "engine/kv_cache.h"
#include "engine/model.h"
#include "engine/ops/attention.h"
#include "engine/ops/gemm.h"
#include "engine/parallel/communicator.h"

namespace assay::engine {

/// Is shown what passes through a step. Pointers live for the call.
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  /// What the product of `module` reads, before its scales: `rows` rows of `next`'s padded inputs.
  virtual void on_input(std::int64_t /*layer*/, const char* /*module*/, const bf16* /*input*/,
                        std::int64_t /*rows*/, const PackedMatrix& /*next*/) {}
  /// A layer's keys (after rotation) and values, [rows, ld], Hkv d of each in a row.
  virtual void on_keys_values(std::int64_t /*layer*/, const bf16* /*keys*/, const bf16* /*values*/,
                              std::int64_t /*rows*/, std::int64_t /*ld*/) {}
  /// The residual stream after a layer, [rows, h].
  virtual void on_layer(std::int64_t /*layer*/, const bf16* /*x*/, std::int64_t /*rows*/) {}
  /// The logits of a query; different queries on different threads.
  virtual void on_logits(std::size_t /*query*/, std::span<const float> /*logits*/) {}
};

/// Owns the activations. Used by one thread, which the context's team works for.
class Forward {
 public:
  /// `communicator` connects the ranks that hold the other parts of the model; its buffer must hold
  /// all_reduce_floats(). Model, cache and communicator outlive this.
  /// `first_core`: see ThreadTeam.
  Forward(const Model& model, KvCache& cache, Communicator& communicator, int threads,
          int first_core, std::int64_t max_rows);

  /// Every rank runs the same batch at once; `results` is filled by rank 0, empty elsewhere.
  void run(const Batch& batch, std::span<LogitResult> results);
  [[nodiscard]] std::int64_t max_rows() const { return max_rows_; }
  /// Layers and blocks of logits done so far; any thread.
  [[nodiscard]] std::uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }
  void observe(ForwardObserver* observer) { observer_ = observer; }
  [[nodiscard]] const CpuKernels& kernels() const { return *context_.kernels; }

  /// The longest sum over ranks of a step of `max_rows` rows.
  [[nodiscard]] static std::int64_t all_reduce_floats(const ModelConfig& config,
                                                      std::int64_t max_rows);

 private:
  void embed(const Batch& batch);
  void attention_block(const Batch& batch, std::int64_t layer);
  void mlp_block(std::int64_t rows, std::int64_t layer);
  void norm(const std::vector<float>& weight, std::int64_t rows, const PackedMatrix& next);
  void project_qkv(const LayerWeights& w, std::int64_t rows, std::int64_t layer);
  void show_input(std::int64_t layer, const char* module, std::int64_t rows,
                  const PackedMatrix& next);
  void rotate_and_store(const Batch& batch, std::int64_t layer);
  void row_parallel(const PackedMatrix& matrix, std::int64_t rows);
  void logits(const Batch& batch, std::span<LogitResult> results);
  const float* gather_logits(std::int64_t rows);
  [[nodiscard]] RowOut row_out(const PackedMatrix& next, std::int64_t row);
  [[nodiscard]] const float* input_scales(const PackedMatrix& matrix) const;
  void multiply(const PackedMatrix& matrix, std::int64_t rows, bf16* out, std::int64_t ldo);

  const Model& model_;
  KvCache& cache_;
  Communicator& communicator_;
  std::int64_t max_rows_;
  CpuContext context_;
  ForwardObserver* observer_ = nullptr;
  std::atomic<std::uint64_t> progress_{0};
  LargeBuffer x_;      // [rows, h] residual stream
  LargeBuffer input_;  // [rows, padded inputs of the widest matrix], what the next product reads
  LargeBuffer scale_;  // [rows, scales of the product] of `input_`
  LargeBuffer qkv_;    // [rows, qkv_width()]
  LargeBuffer mixed_;  // [rows, H d] attention output
  LargeBuffer gate_;   // [rows, padded i]
  LargeBuffer up_;
  LargeBuffer sums_;          // [rows, padded h] FP32 sums of row-parallel products
  std::int64_t logit_width_;  // of a row of `logits_`, the same on every rank
  LargeBuffer logits_;        // [kLogitRows, logit_width_]
  LargeBuffer parts_;         // [ranks, rows, logit_width_], several ranks only
  LargeBuffer gathered_;      // [kLogitRows, V], rank 0 of several only
};

}  // namespace assay::engine
