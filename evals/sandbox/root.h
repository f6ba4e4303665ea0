// The file system that a confined process sees: its interpreter, an empty scratch folder, /dev,
// /proc, and nothing else.
#pragma once

#include <string>

#include "evals/sandbox/interpreter.h"

namespace assay::evals {

constexpr const char* kScratchInside = "/tmp";

/// Builds the new root in the calling process's own mount namespace and enters it; the working
/// directory is then the scratch folder. Everything but scratch is read-only.
/// Returns "" or what failed. REQUIRES: own user, mount and PID namespaces.
std::string enter_new_root(const Interpreter& interpreter);

}  // namespace assay::evals
