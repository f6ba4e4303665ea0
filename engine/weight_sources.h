// Where weights come from: a checkpoint, or a generator of random ones with the right shapes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/model.h"

namespace assay::engine {

/// Rows of a checkpoint's tensors, BF16, F16 or F32 to FP32, which is exact; rows of quantized
/// matrices as the products of their codes and scales. The checkpoint must outlive it.
class CheckpointWeights : public WeightSource {
 public:
  /// Throws: Error(kInput) that names a tensor with an unusable scale.
  explicit CheckpointWeights(const Checkpoint& checkpoint);
  [[nodiscard]] bool has(const std::string& name) const override;
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override;
  void release() const override { checkpoint_.release_pages(); }
  [[nodiscard]] const CodeSource* codes(const std::string& module) const override;
  [[nodiscard]] float input_scale(const std::string& module) const override;
  [[nodiscard]] KvScales kv_scales(std::int64_t layer) const override;

 private:
  const Checkpoint& checkpoint_;
  std::map<std::string, std::unique_ptr<CodeSource>> codes_;  // by module
  std::vector<KvScales> kv_scales_;
};

/// Uniform with standard deviation 0.02 (norms: 1), a function of tensor name and index alone,
/// rounded to BF16: the same on every backend and for every number of ranks.
class DummyWeights : public WeightSource {
 public:
  [[nodiscard]] bool has(const std::string& name) const override;
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override;
};

}  // namespace assay::engine
