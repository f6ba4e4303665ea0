// What servers say of themselves, and what they turn out to be able to do.
#pragma once

#include "engine/generator.h"
#include "engine/generators/http/client.h"

namespace assay::engine {

struct ProbeResult {
  ServerTraits traits;
  ModelInfo info;
};

/// Asks each server for its models, and, with `scoring`, the first one for what it can score.
/// Throws: Error(kInput) when the model is not there or the key is refused; Error(kEnvironment)
/// when no server answers.
ProbeResult probe(HttpClient& client, const EngineOptions& options, bool scoring);

}  // namespace assay::engine
