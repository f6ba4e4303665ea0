// The system-call filter: what a confined interpreter may ask of the kernel. Written as BPF by
// hand: the list is fixed and short, and a library would be one more thing to trust and install.
// Sources: seccomp(2), linux/seccomp.h; numbers from the headers of the build.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <vector>

#include "evals/sandbox/level.h"

namespace assay::evals {

/// An allow list. Calls beyond it fail with EPERM (ENOSYS where the C library then uses an older
/// call), so that a program can go on; a foreign system-call table kills the process. Threads may
/// be made, processes not; signals reach only `own_pid`. execve asks the listener that
/// install_filter returns: it lets the first one pass and is then closed, after which execve fails
/// with ENOSYS for good. `level` kReduced also refuses what Landlock does not look at and read-only
/// mounts would stop: changes of mode, of times, of length by name.
std::vector<sock_filter> make_filter(SandboxLevel level, pid_t own_pid);

/// Installs the filter for this thread and what it starts. REQUIRES: no_new_privs is set.
/// Returns the listener's descriptor (close-on-exec), or -1 with errno.
int install_filter(const std::vector<sock_filter>& filter);

/// Lets one call through: blocks until the confined process asks. False when it never did.
bool allow_one_exec(int listener);

}  // namespace assay::evals
