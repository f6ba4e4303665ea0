// The measurements of speed of one point of a suite, in the run that holds its samples.
#pragma once

#include "engine/session.h"
#include "store/store.h"
#include "suites/suite_bench.h"

namespace assay::suites {

/// Measures and stores all cases of `bench`, with the machine's bounds before them.
/// Throws: Error(kInterrupted / kTerminated) after a signal, with nothing of it stored.
void bench_point(store::Store& store, const store::RunRecord& run, engine::Session& session,
                 const SuiteBench& bench);

}  // namespace assay::suites
