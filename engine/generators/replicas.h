// Several copies of a local model that answer different requests at once: more throughput than
// cutting one model into as many ranks, where each copy fits.
#pragma once

#include <memory>
#include <vector>

#include "engine/generator.h"
#include "engine/session.h"

namespace assay::engine {

/// `options.dp` copies. On the CPU each has an equal share of threads and free memory, on GPUs each
/// has its own. Which copy answers a request never changes the answer.
/// Throws: as make_local_generator, and Error(kInput) for fewer GPUs than copies.
std::unique_ptr<Generator> make_replicas(const EngineOptions& options);

/// Copies behind one session: a request goes to the one with the fewest in flight. A copy that is
/// lost fails what it has and gets no more; the session is lost with the last.
std::unique_ptr<Session> make_replica_session(const EngineOptions& options);

/// Sessions as one. For tests: the copies may be anything.
std::unique_ptr<Session> join_sessions(std::vector<std::unique_ptr<Session>> copies);

/// The options of each copy: its share of threads and memory, its number.
std::vector<EngineOptions> replica_options(const EngineOptions& options);

}  // namespace assay::engine
