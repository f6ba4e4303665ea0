// Files, sources, licence, digests and counts of the data set.
#pragma once

#include "datasets/manifest.h"

namespace assay::evals {

/// Splits "diamond" (198 rows), "main" (448), "extended" (546), with the columns of the upstream
/// CSV
/// ("Question", "Correct Answer", "Incorrect Answer 1" .. "3", "Record ID", "High-level domain",
/// "Subdomain" ...); "experts"; "prompts": one record, the five worked examples in `questions`.
const datasets::Manifest& gpqa_manifest();

}  // namespace assay::evals
