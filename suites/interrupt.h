// SIGINT and SIGTERM: the first asks the run to stop and store what is finished, the second ends at
// once. While nothing is in work, as when a model loads, the first ends at once too.
#pragma once

#include "base/error.h"

namespace assay::suites {

/// Installs the handlers. What ends at once ends by _exit(130) or _exit(143) after one line:
/// whatever was committed to the store stays. SIGXFSZ is ignored, so that a limit on the size of
/// files is an error of the call that meets it.
void install_interrupt_handlers();

/// While one exists, there is work that a first signal lets finish. One may stand within another.
class InterruptibleWork {
 public:
  InterruptibleWork();
  ~InterruptibleWork();
  InterruptibleWork(const InterruptibleWork&) = delete;
  InterruptibleWork& operator=(const InterruptibleWork&) = delete;
  InterruptibleWork(InterruptibleWork&&) = delete;
  InterruptibleWork& operator=(InterruptibleWork&&) = delete;
};

/// Whether a signal has asked to stop; any thread.
bool interrupted();

/// kInterrupted after SIGINT, kTerminated after SIGTERM. REQUIRES: interrupted().
ErrorKind interrupt_kind();

/// For tests: as if `signal` had arrived, or 0 to forget it.
void set_interrupt_for_test(int signal);

}  // namespace assay::suites
