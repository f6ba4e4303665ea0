// Published reference scores from a data file: {"scores": [{model, setting, task, metric, value,
// protocol, source}]}, value a share in [0, 1].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/page.h"

namespace assay::reports {

/// `source` names the text in errors. Throws: Error(kInput) with line and column.
std::vector<PublishedScore> parse_published(std::string_view text, std::string_view source);
/// Those that come with the program (reports/assets/published.jsonc).
std::vector<PublishedScore> built_in_published();

}  // namespace assay::reports
