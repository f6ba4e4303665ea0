// When a series of measurements has left its warm-up, and whether it drifts. Pure; any thread.
// Sources: White 1997 (MSER: leave out what makes the standard error of the rest smallest);
// Mann 1945, Kendall 1975 (test of a trend by ranks).
#pragma once

#include <cstddef>
#include <span>

namespace assay::suites {

/// Leading values to leave out: at most half of them, the last candidate meaning "not over yet".
std::size_t warm_up_length(std::span<const double> values);

struct Trend {
  double p = 1;       // two-sided, that there is none
  double change = 0;  // from the first to the last value along Theil and Sen's line, relative
};
/// Of values in the order of time. Fewer than four have no trend.
Trend trend_of(std::span<const double> values);

/// Whether the values, warm-up left out, are long enough and show no trend that is both
/// significant (p < 0.01) and larger than `tolerance` (relative).
bool is_steady(std::span<const double> values, double tolerance);

}  // namespace assay::suites
