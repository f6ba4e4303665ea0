// Where a figure comes from, as label and value, for people who publish the page: no host name,
// user or path.
#pragma once

#include <string>

#include "reports/page.h"
#include "store/store.h"

namespace assay::reports {

/// "fp8", or "fp8+kv-fp8" where the key-value cache has its own type.
std::string setting_text(const store::RunRecord& run);
PageFacts run_facts(const store::RunRecord& run);
PageFacts task_facts(const store::RunTaskRecord& task);

}  // namespace assay::reports
