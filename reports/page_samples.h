// Which responses a page of bounded size shows: changed verdicts first, then failures, then
// changed responses, then the rest, task by task in turn.
#pragma once

#include <vector>

#include "reports/page.h"
#include "reports/page_load.h"

namespace assay::reports {

struct SampleChoice {
  std::size_t reference = 0;        // run that the others are compared with
  std::int64_t max_bytes = 0;       // of text, about
  bool include_restricted = false;  // show texts of data sets whose authors ask for silence
};

/// Reads the texts of the chosen items. Sets `withheld` where texts were left out.
std::vector<PageItem> choose_samples(const store::Store& store,
                                     const std::vector<LoadedTask>& tasks,
                                     const SampleChoice& choice, bool& withheld);

/// Bytes that an item takes in the page, about.
std::int64_t item_bytes(const PageItem& item);

}  // namespace assay::reports
