// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Split "test". Members: problem, solution, answer, subject, level (1 to 5), unique_id.
const datasets::Manifest& math500_manifest();

}  // namespace assay::evals
