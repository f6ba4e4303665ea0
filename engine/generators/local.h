// The built-in engine as a Generator and as a Session.
#pragma once

#include <memory>

#include "engine/generator.h"
#include "engine/session.h"

namespace assay::engine {

/// `options.model` is a folder or "dummy:NAME". Throws: as `load_local_model`.
std::unique_ptr<Generator> make_local_generator(const EngineOptions& options);
std::unique_ptr<Session> make_local_session(const EngineOptions& options);

}  // namespace assay::engine
