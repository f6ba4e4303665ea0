#include "suites/bench/bound.h"

#include <algorithm>
#include <cmath>

namespace assay::suites {
namespace {

std::optional<double> number_of(const Json& detail, const char* key) {
  const Json* value = detail.find(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->as_double();
}

double bandwidth(const engine::Roofline& roofline) {
  return std::max(roofline.read_bytes_per_s, roofline.copy_bytes_per_s);
}

}  // namespace

std::optional<StepCost> step_cost(const engine::ModelInfo& info) {
  const auto body = number_of(info.detail, "body_parameters");
  const auto head = number_of(info.detail, "head_parameters");
  const auto bytes = number_of(info.detail, "step_weight_bytes");
  if (!body || !head || !bytes) return std::nullopt;
  return StepCost{
      .body_flops = 2 * *body,
      .head_flops = 2 * *head,
      .weight_bytes = *bytes,
      .max_batch = static_cast<std::int64_t>(number_of(info.detail, "max_batch").value_or(0))};
}

double least_first_token_s(const StepCost& cost, const engine::Roofline& roofline,
                           std::int64_t batch, std::int64_t input) {
  const auto sequences = static_cast<double>(batch);
  const double flops = sequences * (static_cast<double>(input) * cost.body_flops + cost.head_flops);
  return std::max(flops / roofline.most_flops_per_s(), cost.weight_bytes / bandwidth(roofline));
}

double least_step_s(const StepCost& cost, const engine::Roofline& roofline, std::int64_t batch) {
  return least_first_token_s(cost, roofline, batch, 1);
}

double least_offline_s(const StepCost& cost, const engine::Roofline& roofline,
                       const OfflineWork& work) {
  const auto outputs = static_cast<double>(work.output_tokens);
  const double flops = (static_cast<double>(work.input_tokens) + outputs) * cost.body_flops +
                       outputs * cost.head_flops;
  double steps = static_cast<double>(work.longest_output);
  if (cost.max_batch > 0) {
    steps = std::max(steps, std::ceil(outputs / static_cast<double>(cost.max_batch)));
  }
  return std::max(flops / roofline.most_flops_per_s(),
                  steps * cost.weight_bytes / bandwidth(roofline));
}

}  // namespace assay::suites
