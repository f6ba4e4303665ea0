// Speeds and their spread from the stored responses, stored benches, and scores over time.
#pragma once

#include <vector>

#include "reports/page.h"
#include "reports/page_load.h"

namespace assay::reports {

/// Fills behaviours, spreads, benches and each run's tokens a second.
void add_speed(const store::Store& store, const std::vector<store::RunRecord>& runs,
               const std::vector<LoadedTask>& tasks, Page& page);

/// Headline scores of earlier runs of the same suite, model and setting, where the store has some.
void add_trends(const store::Store& store, const std::vector<store::RunRecord>& runs,
                const std::vector<LoadedTask>& tasks, Page& page);

/// At kSpreadShares, by the inverse of the distribution: values that happened. Empty without any.
std::vector<double> spread_of(std::vector<double> values);

}  // namespace assay::reports
