// assay run --dry-run: what would be asked, how much memory it needs, what it could find.
#pragma once

#include "suites/preview.h"

namespace assay::cli {

/// Plans the tasks and prints; asks and stores nothing. Throws: Error(kInput) as a run would.
void print_dry_run(const suites::Suite& suite, const suites::PlanOptions& plan, bool json);

}  // namespace assay::cli
