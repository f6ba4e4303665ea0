// A model of the built-in engine, loaded and ready to run: tokenizer, prompt encoder, executor, and
// how much it may hold.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/executor.h"
#include "engine/generator.h"
#include "engine/parallel/process_group.h"
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
  std::unique_ptr<PromptEncoder> encoder;   // uses `tokenizer`; any number of threads
  std::unique_ptr<Communicator> processes;  // that hold the model together; null: there is one
  std::unique_ptr<Executor> executor;
  LocalLimits limits;
  bool truncate = false;  // drop the oldest ids of prompts beyond the context
  bool prefix_cache = true;
};

/// Loads `options.model` (a folder or "dummy:NAME").
/// Throws: Error(kInput) for a model, setting or option that cannot be used; Error(kEnvironment)
/// when the memory it needs is not there, before anything is loaded.
/// With `options.processes`, rank 0 calls this while the others are in `follow_local`.
std::unique_ptr<LocalModel> load_local_model(const EngineOptions& options);

/// What ranks other than 0 do: they load their part of what rank 0 loads and run the steps that it
/// announces, for one model after the other. `threads` is this process's, 0 its share of the cores.
/// Does not return: throws GroupEnded once rank 0 has ended, and other errors as above.
[[noreturn]] void follow_local(ProcessGroup& group, int threads);

}  // namespace assay::engine
