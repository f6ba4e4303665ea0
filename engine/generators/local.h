// The built-in engine as a Generator: a checkpoint folder or random weights, on the CPU.
#pragma once

#include <memory>

#include "engine/generator.h"

namespace assay::engine {

/// Loads `options.model` (a folder or "dummy:NAME").
/// Throws: Error(kInput) for a model, setting or option that cannot be used; Error(kEnvironment)
/// when the memory it needs is not there, before anything is loaded.
std::unique_ptr<Generator> make_local_generator(const EngineOptions& options);

}  // namespace assay::engine
