// The built-in engine as a Generator: a checkpoint folder or random weights, on the CPU.
#pragma once

#include <memory>

#include "engine/generator.h"
#include "engine/parallel/process_group.h"

namespace assay::engine {

/// Loads `options.model` (a folder or "dummy:NAME").
/// Throws: Error(kInput) for a model, setting or option that cannot be used; Error(kEnvironment)
/// when the memory it needs is not there, before anything is loaded.
/// With `options.processes`, rank 0 calls this while the others are in `follow_local`.
std::unique_ptr<Generator> make_local_generator(const EngineOptions& options);

/// What ranks other than 0 do: they load their part of what rank 0 loads and run the steps that it
/// announces, for one model after the other. `threads` is this process's, 0 its share of the cores.
/// Does not return: throws GroupEnded once rank 0 has ended, and other errors as above.
[[noreturn]] void follow_local(ProcessGroup& group, int threads);

}  // namespace assay::engine
