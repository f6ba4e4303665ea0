// The ranks of a model that one thread drives on one GPU, in lock step: all of them where they are
// virtual, one where each has a GPU of its own.
#pragma once

#include <memory>
#include <vector>

#include "engine/cuda/cuda_forward.h"
#include "engine/cuda/device_exchange.h"
#include "engine/cuda/device_model.h"

namespace assay::engine {

/// Used by one thread; work is enqueued on one stream and nothing waits.
class DeviceRanks {
 public:
  struct Limits {
    std::int64_t pages = 0;
    int max_rows = 0;
    int most_spans = 0;
  };
  /// `exchange` may be null for a model in one piece. `gemm` outlives this.
  DeviceRanks(std::vector<DeviceModel> models, std::unique_ptr<DeviceExchange> exchange,
              GemmRunner& gemm, AttentionKind attention, KvType kv, const Limits& limits);

  /// Up to the last layer's sums, which wait for `logits`.
  void layers(CudaStream stream, const DeviceStep& step);
  /// As CudaForward::logits, of the whole vocabulary: [count, logits_ld()].
  void logits(CudaStream stream, const int* row_of, int count, int rows);
  [[nodiscard]] const float* logits_data() const;
  [[nodiscard]] int logits_ld() const;

  /// Of the ranks here, all alike.
  [[nodiscard]] const DeviceModel& first() const { return *models_.front(); }
  [[nodiscard]] std::int64_t weight_bytes() const;
  [[nodiscard]] DeviceExchange* exchange() const { return exchange_.get(); }

 private:
  void fold(CudaStream stream, int rows);

  std::vector<std::unique_ptr<DeviceModel>> models_;
  std::unique_ptr<DeviceExchange> exchange_;
  std::vector<std::unique_ptr<CudaForward>> forwards_;
  std::vector<float*> sums_;    // of each forward
  std::vector<float*> slices_;  // its logits
  DeviceBuffer joined_;         // [kLogitRows, V], several ranks only
};

}  // namespace assay::engine
