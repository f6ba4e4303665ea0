// Where weights come from: a checkpoint, or a generator of random ones with the right shapes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/checkpoint.h"
#include "engine/model.h"

namespace assay::engine {

/// Rows of a checkpoint's tensors, BF16, F16 or F32 to FP32, which is exact. The checkpoint must
/// outlive it.
class CheckpointWeights : public WeightSource {
 public:
  explicit CheckpointWeights(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
  [[nodiscard]] bool has(const std::string& name) const override;
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override;
  void release() const override { checkpoint_.release_pages(); }

 private:
  const Checkpoint& checkpoint_;
};

/// Uniform with standard deviation 0.02 (norms: 1), a function of tensor name and index alone,
/// rounded to BF16: the same on every backend and for every number of ranks.
class DummyWeights : public WeightSource {
 public:
  [[nodiscard]] bool has(const std::string& name) const override;
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override;
};

}  // namespace assay::engine
