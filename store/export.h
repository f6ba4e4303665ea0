// Stored records as JSON, for other programs. Field names: docs/STORE.md.
#pragma once

#include "base/json.h"
#include "store/records.h"

namespace assay::store {

/// One sample. Without times, a resumed run and an uninterrupted one give the same bytes.
Json sample_json(const RunTaskRecord& task, const SampleRecord& sample, bool times);
/// Everything a run carries but its samples.
Json run_document(const RunRecord& run, const std::vector<RunTaskRecord>& tasks);

}  // namespace assay::store
