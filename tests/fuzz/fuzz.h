// A fuzz target: one function over any bytes, and the seeds that a replay mutates. The same file is
// linked with replay.cc in every build, and with libFuzzer in the `fuzz` preset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace assay::fuzz {

/// Inputs that reach the different parts of the target.
std::vector<std::string> seeds();

}  // namespace assay::fuzz

/// The name is libFuzzer's. Ends the process when a property does not hold; returns 0 otherwise.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
