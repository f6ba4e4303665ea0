// The report as one self-contained HTML file: no network, no script needed to read it.
#pragma once

#include <string>

#include "reports/page.h"

namespace assay::reports {

/// The same page gives the same bytes. Nothing that a model, a file or a server said becomes
/// markup.
std::string render_html(const Page& page);

}  // namespace assay::reports
