// Servers with the OpenAI API as models: "--model http(s)://host/v1", several of them separated by
// commas.
#pragma once

#include <memory>

#include "engine/generator.h"
#include "engine/session.h"

namespace assay::engine {

/// Finds out what the servers are and can do. Throws: Error(kInput) for an address, key, name or
/// certificate that cannot be used; Error(kEnvironment) when no server answers.
std::unique_ptr<Generator> make_http_generator(const EngineOptions& options);

/// The same for load: every request is one attempt, and there is no limit on how many are under way
/// but `max_batch`.
std::unique_ptr<Session> make_http_session(const EngineOptions& options);

}  // namespace assay::engine
