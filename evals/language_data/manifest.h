// Trained data for IFEval's checks of sentences and languages; docs/ifeval.md says how it is used.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// "language-data": the Punkt model of English, the 55 profiles of langdetect and its tables.
const datasets::Manifest& language_data_manifest();

}  // namespace assay::evals
