// What a suite would ask, without asking: samples, and tokens where the model's tokenizer is at
// hand.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/model_config.h"
#include "suites/plan.h"
#include "suites/suite.h"

namespace assay::suites {

/// One task for one model.
struct TaskPreview {
  std::string label;          // "gsm8k@assay"
  std::int64_t items = 0;     // of this shard
  std::int64_t clusters = 0;  // independent ones among them
  std::int64_t responses = 0;
  std::int64_t prompt_bytes = 0;  // text of all responses' prompts, without a template's own
  /// Tokens that an answer may take; nothing where given continuations are scored instead.
  std::optional<std::int64_t> max_tokens;
  std::string refused;  // why the model cannot be asked this task; "" when it can

  // With the model's tokenizer, else 0. The tokens of continuations are not among them.
  std::int64_t prompt_tokens = 0;
  std::int64_t shared_tokens = 0;  // of them: equal to the beginning of the prompt before
  std::int64_t longest_prompt = 0;
  std::int64_t too_long = 0;  // responses whose prompt leaves no room for a token
  std::int64_t cut = 0;       // whose answer the context ends before max_tokens
};

struct ModelPreview {
  SuiteModel model;
  std::string no_tokens;                      // why no tokens are known; "" when they are
  std::optional<engine::ModelConfig> config;  // of a checkpoint or dummy model
  std::int64_t context = 0;                   // longest sequence; 0 when unknown
  std::vector<TaskPreview> tasks;
};

/// For each model of the suite. `tasks` are planned from it. Throws: Error(kInput) for a checkpoint
/// that cannot be read.
std::vector<ModelPreview> preview(const Suite& suite, std::span<const PlannedTask> tasks);

}  // namespace assay::suites
