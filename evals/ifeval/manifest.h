// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Split "test". Members: key (integer), prompt, instruction_id_list, kwargs.
const datasets::Manifest& ifeval_manifest();

}  // namespace assay::evals
