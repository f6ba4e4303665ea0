// The engine options, the same on every command that uses a model.
#pragma once

#include <functional>

#include "cli/command.h"
#include "engine/generator.h"

namespace assay::cli {

/// Adds --model, --device, --precision, --kv, --tp, --threads, --max-batch, --max-context, --seed
/// and the like; they write into `options`, which must outlive the parsing. Environment:
/// ASSAY_<NAME>.
void add_engine_options(CLI::App& command, engine::EngineOptions& options);

/// --tp-invariant and --no-tp-invariant; `set` is called for the one that is given.
void add_tp_invariant_flags(CLI::App& command, const std::function<void(bool)>& set);

/// --fast, with one help text everywhere.
CLI::Option* add_fast_flag(CLI::App& command, bool& fast);

/// --dp, for the commands that keep a model open.
void add_copies_option(CLI::App& command, engine::EngineOptions& options);

}  // namespace assay::cli
