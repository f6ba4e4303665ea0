// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Split "test" in 11 groups, the language codes: 250 rows each of question, answer. Split
/// "exemplars": one record, the worked examples of all languages.
const datasets::Manifest& mgsm_manifest();

}  // namespace assay::evals
