// The forward pass of a Llama model over a ragged batch, as a list of ops.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/executor.h"
#include "engine/kv_cache.h"
#include "engine/model.h"
#include "engine/ops/attention.h"
#include "engine/ops/gemm.h"

namespace assay::engine {

/// Owns the activations. Used by one thread, which the context's team works for.
class Forward : public Executor {
 public:
  Forward(const Model& model, KvCache& cache, int threads, std::int64_t max_rows);

  void run(const Batch& batch, std::span<LogitResult> results) override;
  [[nodiscard]] std::int64_t max_rows() const override { return max_rows_; }
  [[nodiscard]] const CpuKernels& kernels() const { return *context_.kernels; }

 private:
  void embed(const Batch& batch);
  void attention_block(const Batch& batch, std::int64_t layer);
  void mlp_block(std::int64_t rows, std::int64_t layer);
  void norm(const std::vector<float>& weight, std::int64_t rows, const PackedMatrix& next,
            bool quantize);
  void rotate_and_store(const Batch& batch, std::int64_t layer);
  void row_parallel(const PackedMatrix& matrix, std::int64_t rows);
  void logits(const Batch& batch, std::span<LogitResult> results);
  [[nodiscard]] RowOut row_out(const PackedMatrix& next, std::int64_t row, bool quantize);
  void multiply(const PackedMatrix& matrix, std::int64_t rows, bf16* out);

  const Model& model_;
  KvCache& cache_;
  std::int64_t max_rows_;
  CpuContext context_;
  LargeBuffer x_;      // [rows, h] residual stream
  LargeBuffer input_;  // [rows, padded inputs of the widest matrix], what the next product reads
  LargeBuffer scale_;  // [rows, 8] scales of `input_`
  LargeBuffer qkv_;    // [rows, padded (H + 2 Hkv) d]
  LargeBuffer mixed_;  // [rows, H d] attention output
  LargeBuffer gate_;   // [rows, padded i]
  LargeBuffer up_;
  LargeBuffer sums_;    // [rows, padded h] FP32 sums of row-parallel products
  LargeBuffer logits_;  // [kLogitRows, padded V]
};

}  // namespace assay::engine
