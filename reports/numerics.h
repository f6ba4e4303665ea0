// How far runs are from their reference setting, number by number: `assay compare --numerics` and
// the page's section.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "store/store.h"

namespace assay::reports {

/// One run's comparison on one text.
struct NumericsRow {
  std::string run;  // the store's id
  std::string model;
  std::string setting;  // with the cache's type
  store::NumericsRecord numerics;
};

/// Rows of all runs that have some, in the runs' order.
std::vector<NumericsRow> load_numerics_rows(const store::Store& store,
                                            const std::vector<store::RunRecord>& runs);

std::string numerics_text(const std::vector<NumericsRow>& rows);
std::string numerics_markdown(const std::vector<NumericsRow>& rows);
std::string numerics_csv(const std::vector<NumericsRow>& rows);
Json numerics_json(const std::vector<NumericsRow>& rows);

}  // namespace assay::reports
