// Tests of differences between two runs, and how many samples they need. Pure; any thread.
// Sources: McNemar 1947 (exact and mid-p form); Holm 1979; Benjamini and Hochberg 1995; Mann and
// Whitney 1947. Tests that may be looked at while samples come: sequential.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "reports/statistics.h"

namespace assay::reports {

struct McNemar {
  double exact_p = 1;
  double mid_p = 1;
};
/// Of the items that changed each way; two-sided.
McNemar mcnemar(std::int64_t wrong_to_right, std::int64_t right_to_wrong);

/// Two-sided p of value / error against t with clusters - 1 degrees of freedom; 1 when both are 0.
double t_test_p(double value, const StandardError& error);

/// Sign-flip permutation test of mean 0, two-sided; exact up to 16 values, else seeded draws with
/// the usual +1 so that p is never 0.
double sign_flip_p(std::span<const double> differences, std::int64_t draws, std::uint64_t seed);

/// Adjusted p-values, in the order given.
std::vector<double> holm(std::span<const double> p);
std::vector<double> benjamini_hochberg(std::span<const double> p);

/// Two-sided Mann-Whitney test; exact without ties up to 20 + 20, else normal with tie correction.
double mann_whitney_p(std::span<const double> a, std::span<const double> b);

/// Smallest true difference found with `power` at two-sided level `alpha`, for this error.
double minimum_detectable(double standard_error, double alpha, double power);
/// Items needed so that `minimum_detectable` is at most `effect`, given the error at `items`.
std::int64_t required_items(double standard_error, std::int64_t items, double effect, double alpha,
                            double power);

}  // namespace assay::reports
