// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Split "test". Members: problem, level ("Level 1" .. "Level 5"), type, solution. The JSONL file
/// is read, or where it is missing the tar of the original files, which gives the same rows in the
/// same order (that of the sorted paths); only the JSONL has `idx`, which equals the row.
const datasets::Manifest& math_manifest();

}  // namespace assay::evals
