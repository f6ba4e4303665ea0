// The engine options, the same on every command that uses a model.
#pragma once

#include "cli/command.h"
#include "engine/generator.h"

namespace assay::cli {

constexpr const char* kTpInvariantHelp =
    "The same bits for every --tp (default); --no-tp-invariant: a rank's inputs of o_proj and "
    "down_proj in one sum with one scale";

/// Adds --model, --device, --precision, --kv, --tp, --threads, --max-batch, --max-context, --seed
/// and the like; they write into `options`, which must outlive the parsing. Environment:
/// ASSAY_<NAME>.
void add_engine_options(CLI::App& command, engine::EngineOptions& options);

}  // namespace assay::cli
