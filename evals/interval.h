// The 95 % interval of a metric over one set of responses, by base/estimate.h. Pure.
#pragma once

#include <optional>

#include "base/estimate.h"
#include "evals/aggregate.h"

namespace assay::evals {

/// Nothing for kMeanOf, whose parts are not at hand here, and for no items. One cluster alone says
/// nothing: [0, 1].
std::optional<Interval> interval95(const MetricValue& metric);

}  // namespace assay::evals
