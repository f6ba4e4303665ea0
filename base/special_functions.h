// Distribution functions. Sources: normal quantile by Halley steps from a rational start
// (Abramowitz and Stegun 26.2.23); incomplete beta by its continued fraction (Abramowitz and
// Stegun 26.5.8) with Lentz's method; t by its relation to the incomplete beta (26.7.1). Pure; any
// thread.
#pragma once

#include <cstdint>

namespace assay {

double normal_cdf(double x);
/// REQUIRES: 0 < p < 1.
double normal_quantile(double p);
/// Regularised I_x(a, b). REQUIRES: a, b > 0, 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);
/// Of Student's t with `dof` > 0 degrees of freedom.
double t_cdf(double t, double dof);
double t_quantile(double p, double dof);
/// P(X <= k) of the fair binomial(n, 1/2), exact to rounding.
double fair_binomial_cdf(std::int64_t k, std::int64_t n);
double fair_binomial_pmf(std::int64_t k, std::int64_t n);

}  // namespace assay
