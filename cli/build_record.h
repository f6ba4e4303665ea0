// What this program was built from, as the store keeps it with each run.
#pragma once

#include "store/records.h"

namespace assay::cli {

store::BuildRecord build_record();

}  // namespace assay::cli
