// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Splits "test" and "train". Members: question, answer.
const datasets::Manifest& gsm8k_manifest();

}  // namespace assay::evals
