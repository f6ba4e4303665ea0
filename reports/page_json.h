// The page as JSON: what the HTML page's script reads and what `assay report --json` writes.
// Equal texts of responses stand once, in "texts"; items refer to them by number.
#pragma once

#include <string>

#include "base/json.h"
#include "reports/page.h"

namespace assay::reports {

/// Everything but the items.
Json page_json(const Page& page);
/// {"texts": [...], "items": [...]} of the first `count` items.
Json items_json(const Page& page, std::size_t count);
/// How many items, from the first on, take at most `room` bytes in a page's data block.
std::size_t items_within(const Page& page, std::size_t room);
/// Both, as one document.
Json report_json(const Page& page);

}  // namespace assay::reports
