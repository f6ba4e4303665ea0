// A model of the built-in engine, loaded and ready to run: tokenizer, prompt encoder, executor, and
// how much it may hold.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/executor.h"
#include "engine/generator.h"
#include "engine/prompt_encoder.h"
#include "engine/tokenizer_load.h"

namespace assay::engine {

struct LocalLimits {
  std::int64_t context = 0;  // tokens of the longest sequence
  std::int64_t batch = 0;    // sequences at once
  std::int64_t pages = 0;    // of the key/value cache
};

struct LocalModel {
  ModelInfo info;
  LoadedTokenizer tokenizer;
  std::vector<TokenId> stop_ids;
  std::unique_ptr<PromptEncoder> encoder;  // uses `tokenizer`; any number of threads
  std::unique_ptr<Executor> executor;
  LocalLimits limits;
  bool truncate = false;  // drop the oldest ids of prompts beyond the context
  bool prefix_cache = true;
};

/// Loads `options.model` (a folder or "dummy:NAME").
/// Throws: Error(kInput) for a model, setting or option that cannot be used; Error(kEnvironment)
/// when the memory it needs is not there, before anything is loaded.
std::unique_ptr<LocalModel> load_local_model(const EngineOptions& options);

}  // namespace assay::engine
