// Recorded responses as a model: "replay:FILE.jsonl" with lines {"id", "response"}.
#pragma once

#include <memory>

#include "engine/generator.h"

namespace assay::engine {

/// Several lines with one id are its repeats, in order. A request whose id the file lacks, or that
/// asks for likelihoods, fails alone. Throws: Error(kInput) "file:line: reason" for a file that
/// cannot be used.
std::unique_ptr<Generator> make_replay_generator(const EngineOptions& options);

}  // namespace assay::engine
