// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Splits "dev" (five worked examples a subject), "val" and "test", each in 57 groups: the
/// subjects, "abstract_algebra" to "world_religions". Columns: question, A, B, C, D, answer (a
/// letter).
const datasets::Manifest& mmlu_manifest();

}  // namespace assay::evals
