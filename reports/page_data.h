// Fills the report page from a store.
#pragma once

#include <string>
#include <vector>

#include "reports/page.h"
#include "store/store.h"

namespace assay::reports {

struct PageOptions {
  std::string title;              // "" makes one from the suites' names
  std::vector<std::string> runs;  // names or tags; empty: the newest run of each model and setting
  std::string reference;  // run that differences refer to; "" is the first, bf16 if there is one
  bool include_restricted =
      false;  // show texts of data sets whose authors ask that they are not published
  std::size_t max_samples = 200;  // responses shown: flips and wrong ones first
};

/// Throws: Error(kInput) for unknown runs or a store without any.
Page load_page(const store::Store& store, const PageOptions& options = {});

}  // namespace assay::reports
