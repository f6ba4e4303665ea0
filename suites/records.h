// Values of engine/, evals/ and datasets/ as rows of the store, and back where scoring is repeated.
#pragma once

#include <cstdint>
#include <string>

#include "engine/completion.h"
#include "engine/generator.h"
#include "engine/numerics.h"
#include "evals/benchmark.h"
#include "store/records.h"
#include "suites/machine.h"
#include "suites/plan.h"

namespace assay::suites {

store::ScoreRecord to_record(const evals::Score& score);
store::MetricRecord to_record(const evals::MetricSpec& metric);
store::ItemRecord to_record(const evals::Sample& sample);
store::ModelRecord to_record(const engine::ModelInfo& model);
store::MachineRecord to_record(const Machine& machine);
store::RunTaskRecord to_record(const PlannedTask& task);
/// The figures; text and reference are the caller's.
store::NumericsRecord to_record(const engine::Numerics& numerics);

/// Text, ids, choices and times of a completion; `prompt` is the prompt as text for people.
store::GenerationRecord to_record(const engine::Completion& completion, std::string prompt);

/// The way back, for metrics computed from the store.
evals::Score to_score(const store::ScoreRecord& score);
/// Throws: Error(kInput) for a kind of metric this program does not know.
evals::MetricSpec to_spec(const store::MetricRecord& metric);

/// The response that a stored generation holds. REQUIRES: it did not end in an error.
evals::Response to_response(const store::GenerationRecord& generation);

}  // namespace assay::suites
