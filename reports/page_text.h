// The page's figures as Markdown, for a release note or a job's summary, and as CSV, one figure a
// row, for a spreadsheet. Texts of models and data sets are not in them.
#pragma once

#include <string>

#include "reports/page.h"

namespace assay::reports {

std::string page_markdown(const Page& page);
/// Columns: section, task, metric, group, run, model, setting, value, ci_low, ci_high, n, unscored,
/// difference, difference_low, difference_high, p, p_holm, right_to_wrong, wrong_to_right, verdict.
std::string page_csv(const Page& page);

}  // namespace assay::reports
