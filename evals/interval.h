// The 95 % interval of a metric over one set of responses.
// Sources: Wilson 1927 for a plain share; Miller 2024 (arXiv 2411.00640) for clusters. Pure.
#pragma once

#include <optional>

#include "evals/aggregate.h"

namespace assay::evals {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Wilson's interval where every item is 0 or 1 of 1 point and no cluster has two items; else
/// normal with the clustered error of the ratio, kMacro with the error of the mean of group means
/// (clusters across groups are not accounted for there). Cut to [0, 1]. Nothing for kMeanOf and for
/// fewer than two clusters, unless Wilson's applies.
std::optional<Interval> interval95(const MetricValue& metric);

}  // namespace assay::evals
