// How fast the machine itself was while something was measured on it, as its records tell: figures
// belong together where the machine was alike. base/machine_speed.h says what is measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/machine_speed.h"
#include "store/measurement_records.h"

namespace assay::store {

/// By how much a moment may differ from what is usual and still be alike: one look is off by some
/// percent by itself.
inline constexpr double kAlikeMoments = 0.15;
/// The same for what is usual in two runs: medians of many looks.
inline constexpr double kAlikeRuns = 0.05;

/// "machine_speed" of a repetition's detail: before it and after it.
Json to_json(const MachineSpeed& before, const MachineSpeed& after);
/// The two moments of a repetition, or none where nobody looked.
std::vector<MachineSpeed> machine_speeds(const BenchRepRecord& rep);
/// What the machine mostly was during the valid repetitions of a case; nothing where nobody looked.
std::optional<MachineSpeed> usual_speed(const BenchCaseRecord& bench);
/// Each figure's median. REQUIRES: not empty.
MachineSpeed median_speed(const std::vector<MachineSpeed>& speeds);

/// In which figures `seen` is below (1 - allowed) or above 1 / (1 - allowed) of `usual`: "memory is
/// read at 161 %, threads meet at 46 %", or "". An `allowed` of 1 allows everything.
std::string difference(const MachineSpeed& usual, const MachineSpeed& seen, double allowed);

}  // namespace assay::store
