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
  std::int64_t sample_bytes = 8'000'000;  // of prompts and responses, about
  /// Published scores to show; those of the models shown when `all_published` is false.
  std::vector<PublishedScore> published;
  bool all_published = false;
};

/// Throws: Error(kInput) for unknown runs or a store without any.
Page load_page(const store::Store& store, const PageOptions& options = {});

}  // namespace assay::reports
