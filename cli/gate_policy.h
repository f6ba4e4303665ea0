// The rules that `assay gate` and `assay run --gate` judge by.
#pragma once

#include <string>

#include "base/json.h"
#include "reports/gate.h"

namespace assay::cli {

/// "gates" of `file`, else of the suite document, which errors call `suite_name`; else the default
/// (one point on every task). Throws: Error(kInput).
reports::GatePolicy gate_policy(const std::string& file, const Json& suite,
                                const std::string& suite_name);

}  // namespace assay::cli
