// The measurements of speed of one point of a suite, in the run that holds its samples.
#pragma once

#include <functional>
#include <memory>

#include "engine/session.h"
#include "store/store.h"
#include "suites/suite_bench.h"

namespace assay::suites {

/// Makes a session of the point's model.
using SessionMaker = std::function<std::unique_ptr<engine::Session>()>;

/// Measures and stores all cases of `bench`, with the machine's bounds before them, on `session`
/// and, where several starts are wanted, on what `make` gives after it has ended; without `make`
/// after one start. `served`: by a server, whose work is not interference. Throws:
/// Error(kInterrupted / kTerminated) after a signal, with nothing of it stored.
void bench_point(store::Store& store, const store::RunRecord& run,
                 std::unique_ptr<engine::Session> session, const SessionMaker& make, bool served,
                 const SuiteBench& bench);

}  // namespace assay::suites
