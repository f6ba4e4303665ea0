// The process that starts sandboxes: forked before the program has threads, GPU contexts or
// secrets, single-threaded, without environment, and, where the program runs as root, as an
// unprivileged user.
#pragma once

namespace assay::evals {

/// Serves requests on `control` until its other end closes; then kills what runs and ends.
/// A request is one descriptor sent over `control`: a stream on which the client has written one
/// message, "C" + fields(level, parallel, interpreter) or "J" + a packed program, and reads one
/// back: for C, fields("ok", interpreter) or fields("no", reason); for J a packed result.
[[noreturn]] void serve_sandboxes(int control);

/// Gives up root for an unprivileged user, for good, where the process has it; keeps only the right
/// to make namespaces. Throws: Error(kEnvironment).
void drop_root();

}  // namespace assay::evals
