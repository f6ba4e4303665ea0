// Puts responses that were scored from a file into a result store, as a run like any other: so
// `assay compare` pairs them, item by item, with the runs of our own engine.
#pragma once

#include <string>

#include "store/store.h"
#include "suites/plan.h"
#include "suites/score_file.h"

namespace assay::suites {

struct StoredScoreOptions {
  std::string model;   // name of what answered
  std::string source;  // file of the responses, for the run's provenance
  std::string source_sha256;
  std::string sandbox;  // measured strength; "" if no code was run
  store::BuildRecord build;
};

/// Stores `scored`; `plan` is its task, planned over the same data. Samples without a response are
/// not stored, and the run counts as incomplete then. Returns the run's name.
std::string store_scored(store::Store& store, const ScoredFile& scored, const PlannedTask& plan,
                         const StoredScoreOptions& options);

}  // namespace assay::suites
