// The page as one HTML file: no outside reference, a policy that allows only its own style and
// script, readable without scripts. The same page gives the same bytes.
#pragma once

#include <string>

#include "reports/page.h"

namespace assay::reports {

/// Items at the end of `page.items` that do not fit into `max_bytes` are left out, and the page
/// says how many responses it shows of how many. What is no sample is never cut.
std::string render_html(const Page& page, std::size_t max_bytes = 10'000'000);

}  // namespace assay::reports
