#include "engine/cuda/device_ranks.h"

#include <algorithm>

#include "base/check.h"

namespace assay::engine {

DeviceRanks::DeviceRanks(std::vector<DeviceModel> models, std::unique_ptr<DeviceExchange> exchange,
                         GemmRunner& gemm, AttentionKind attention, KvType kv, const Limits& limits)
    : exchange_(std::move(exchange)) {
  for (DeviceModel& model : models) {
    models_.push_back(std::make_unique<DeviceModel>(std::move(model)));
    forwards_.push_back(std::make_unique<CudaForward>(
        *models_.back(), gemm, attention, kv, limits.pages, limits.max_rows, limits.most_spans));
    sums_.push_back(forwards_.back()->sums());
    slices_.push_back(forwards_.back()->logits_data());
  }
  if (first().partition.size == 1) return;
  ASSAY_CHECK(exchange_ != nullptr, "ranks exchange their sums");
  const auto rows = static_cast<std::size_t>(std::min(limits.max_rows, CudaForward::kLogitRows));
  joined_ = DeviceBuffer(rows * static_cast<std::size_t>(logits_ld()) * sizeof(float), "logits");
}

void DeviceRanks::fold(CudaStream stream, int rows) {
  if (first().partition.size == 1) return;
  exchange_->fold(stream, sums_, forwards_.front()->sum_parts(), rows * first().config.hidden);
  for (const auto& forward : forwards_) forward->folded();
}

void DeviceRanks::layers(CudaStream stream, const DeviceStep& step) {
  const int rows = step.rows.rows;
  for (const auto& forward : forwards_) forward->embed(stream, step);
  fold(stream, rows);
  for (std::int64_t layer = 0; layer < first().config.layers; ++layer) {
    for (const auto& forward : forwards_) forward->attention_block(stream, step, layer);
    fold(stream, rows);
    for (const auto& forward : forwards_) forward->mlp_block(stream, step, layer);
    fold(stream, rows);
  }
}

void DeviceRanks::logits(CudaStream stream, const int* row_of, int count, int rows) {
  for (const auto& forward : forwards_) forward->logits(stream, row_of, count, rows);
  if (first().partition.size == 1) return;
  exchange_->join(stream, slices_, count, forwards_.front()->logits_ld(), joined_.as<float>(),
                  logits_ld());
}

const float* DeviceRanks::logits_data() const {
  return first().partition.size == 1 ? slices_.front() : joined_.as<float>();
}

int DeviceRanks::logits_ld() const { return static_cast<int>(first().config.vocab); }

std::int64_t DeviceRanks::weight_bytes() const {
  std::int64_t out = 0;
  for (const auto& model : models_) out += model->bytes();
  return out;
}

}  // namespace assay::engine
