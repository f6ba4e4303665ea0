// The only place where the words of evals/ and of engine/ meet: Prompt -> Request, Completion ->
// Response.
#pragma once

#include <cstdint>
#include <string>

#include "engine/completion.h"
#include "engine/request.h"
#include "evals/benchmark.h"
#include "suites/suite.h"

namespace assay::suites {

/// A protocol's defaults with a task's overrides applied.
engine::SamplingParams sampling_params(const evals::Protocol& protocol,
                                       const SamplingOverride& overrides, std::uint64_t seed);

/// `id` and `repeat` key the random numbers of the request.
engine::Request to_request(const evals::Prompt& prompt, const engine::SamplingParams& sampling,
                           std::string id, std::int64_t repeat);

/// REQUIRES: the completion did not end in an error.
evals::Response to_response(const engine::Completion& completion);

/// The prompt as one text for people and digests: the text itself, or the messages as JSON.
std::string prompt_text(const evals::Prompt& prompt);

}  // namespace assay::suites
