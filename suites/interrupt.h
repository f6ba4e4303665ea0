// SIGINT and SIGTERM: the first asks the run to stop and store what is finished, the second ends at
// once.
#pragma once

#include "base/error.h"

namespace assay::suites {

/// Installs the handlers. A second signal ends the process with _exit(130) or _exit(143): whatever
/// was committed to the store stays.
void install_interrupt_handlers();

/// Whether a signal has asked to stop; any thread.
bool interrupted();

/// kInterrupted after SIGINT, kTerminated after SIGTERM. REQUIRES: interrupted().
ErrorKind interrupt_kind();

/// For tests: as if `signal` had arrived, or 0 to forget it.
void set_interrupt_for_test(int signal);

}  // namespace assay::suites
