// What a CUDA error means to a user: one line, for the codes that have a known cause.
#pragma once

#include <cstdint>
#include <string>

namespace assay::engine {

/// `code` is a cudaError_t, `name` its name by the runtime, `what` what was attempted.
std::string cuda_failure(int code, const std::string& name, const std::string& what);

/// One line why `capability` (90 is 9.0) cannot run, or "" when it can. `architectures` is what
/// the program was compiled for, as in CMAKE_CUDA_ARCHITECTURES, by commas.
std::string capability_problem(int capability, const std::string& architectures);

}  // namespace assay::engine
