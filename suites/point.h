// One point of a suite (one model in one setting) on its way through engine and store. Used by
// runner.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "suites/runner.h"

namespace assay::suites {

/// What a point is asked under, before any model is opened.
engine::EngineOptions engine_options(const Suite& suite, const RunPoint& point);

/// The same command has the same identity: suite name, model, setting, engine options.
std::string run_identity(const Suite& suite, const RunPoint& point, const RunnerOptions& options);

/// Digest of everything that determines a response (weights, tokenizer, arithmetic, setting,
/// prompt, sampling, seed, sample, repeat): a stored response is used again only for an equal key.
std::string response_key(const engine::ModelInfo& model, const PlannedTask& task,
                         const engine::Request& request);

/// Asks and scores what `run` still lacks, up to where `stopping` has decided. Returns the number
/// of responses without a verdict. `run` is the stored run; `model` its open engine.
std::int64_t execute_point(store::Store& store, const store::RunRecord& run,
                           engine::Generator& model, std::span<const PlannedTask* const> tasks,
                           const RunnerOptions& options, const EarlyStopping& stopping);

}  // namespace assay::suites
