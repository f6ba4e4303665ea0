#include "suites/bench/arrivals.h"

#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "base/random.h"
#include "base/text.h"

namespace assay::suites {

const char* arrivals_name(Arrivals arrivals) {
  switch (arrivals) {
    case Arrivals::kPoisson:
      return "poisson";
    case Arrivals::kConstant:
      return "constant";
    case Arrivals::kClosed:
      return "closed";
    case Arrivals::kBurst:
      return "burst";
  }
  return "";
}

Arrivals parse_arrivals(const std::string& word) {
  for (const Arrivals arrivals :
       {Arrivals::kPoisson, Arrivals::kConstant, Arrivals::kClosed, Arrivals::kBurst}) {
    if (word == arrivals_name(arrivals)) return arrivals;
  }
  throw_input("arrivals \"{}\": poisson, constant, closed or burst", escaped(word));
}

std::vector<std::int64_t> arrival_schedule(Arrivals arrivals, double rate_per_s, double duration_s,
                                           std::int64_t most, std::uint64_t seed) {
  ASSAY_CHECK(rate_per_s > 0, "an arrival rate above 0 is wanted");
  std::vector<std::int64_t> out;
  SplitMix64 random(seed ^ fnv1a("arrivals"));
  double at_s = 0;
  while (most == 0 || std::ssize(out) < most) {
    if (arrivals == Arrivals::kPoisson) {
      at_s += -std::log1p(-random.uniform()) / rate_per_s;
    } else {
      at_s = static_cast<double>(out.size()) / rate_per_s;
    }
    if (at_s >= duration_s) break;
    out.push_back(static_cast<std::int64_t>(at_s * 1e9));
  }
  return out;
}

}  // namespace assay::suites
