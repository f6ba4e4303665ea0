// How fast a model could be on a machine: each figure of `assay bench` beside its bound. Pure.
// A bound leaves out everything but the products and the reading of weights (no attention, no keys
// and values), so nothing beats it; docs/bench.md has the formulas.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/generator.h"
#include "engine/roofline.h"

namespace assay::suites {

/// What a step does at least; from ModelInfo, where the built-in engine told it.
struct StepCost {
  double body_flops = 0;    // of one token of input or output
  double head_flops = 0;    // of one output token
  double weight_bytes = 0;  // read by every step
  std::int64_t max_batch = 0;
};
/// Nothing for models behind a server.
std::optional<StepCost> step_cost(const engine::ModelInfo& info);

/// Seconds until `batch` prompts of `input` tokens have their first token.
double least_first_token_s(const StepCost& cost, const engine::Roofline& roofline,
                           std::int64_t batch, std::int64_t input);
/// Seconds of one decode step of `batch` sequences.
double least_step_s(const StepCost& cost, const engine::Roofline& roofline, std::int64_t batch);

/// A whole offline load.
struct OfflineWork {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t longest_output = 0;
};
double least_offline_s(const StepCost& cost, const engine::Roofline& roofline,
                       const OfflineWork& work);

}  // namespace assay::suites
