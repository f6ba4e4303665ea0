// The scratch folder of a sandbox that has no file system of its own (reduced and unsafe levels):
// made outside, and removed whatever a program left in it.
#pragma once

#include <string>

namespace assay::evals {

/// A fresh, empty folder that only this user may enter. Throws: Error(kEnvironment).
std::string make_scratch_folder();

/// Removes it with all its content: folders without permissions, of any depth; links are removed,
/// never followed. False when something is left. REQUIRES: no process works in it any more.
bool remove_scratch_folder(const std::string& path);

}  // namespace assay::evals
