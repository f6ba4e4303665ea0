// Several copies of a local model that answer different requests at once: more throughput than
// cutting one model into as many ranks, where each copy fits.
#pragma once

#include <memory>

#include "engine/generator.h"

namespace assay::engine {

/// `options.dp` copies. On the CPU each has an equal share of threads and free memory, on GPUs each
/// has its own. Which copy answers a request never changes the answer.
/// Throws: as make_local_generator, and Error(kInput) for fewer GPUs than copies.
std::unique_ptr<Generator> make_replicas(const EngineOptions& options);

}  // namespace assay::engine
