// When requests should start: an absolute schedule, made before the run from a seed. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::suites {

enum class Arrivals {
  kPoisson,   // open loop: exponential gaps
  kConstant,  // open loop: equal gaps
  kClosed,    // `concurrency` in flight; the next starts when one ends
  kBurst,     // all at once: offline
};

/// "poisson", "constant", "closed", "burst".
const char* arrivals_name(Arrivals arrivals);
/// Throws: Error(kInput) for another word.
Arrivals parse_arrivals(const std::string& word);

/// Offsets from the start in nanoseconds, ascending, those before `duration_s` and at most `most`
/// (0: no limit). A longer schedule of one seed begins with the shorter one. The schedule is not
/// stretched to the nominal rate: that would take away the variance of a Poisson process.
/// REQUIRES: kPoisson or kConstant, rate > 0.
std::vector<std::int64_t> arrival_schedule(Arrivals arrivals, double rate_per_s, double duration_s,
                                           std::int64_t most, std::uint64_t seed);

}  // namespace assay::suites
