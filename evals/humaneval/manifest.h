// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Split "test"; "example" is one toy problem and "example_samples" six completions of it.
/// Members: task_id, prompt, entry_point, canonical_solution, test.
const datasets::Manifest& humaneval_manifest();

}  // namespace assay::evals
