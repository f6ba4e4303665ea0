// Which worked examples each sample is asked with: a function of the protocol and of the whole
// evaluated split, so that neither order of work nor sharding nor limits change it. Pure.
#pragma once

#include <span>
#include <vector>

#include "evals/benchmark.h"

namespace assay::evals {

/// The examples of each of `all`, in the order shown. `all` is the whole evaluated split in data
/// order; `pool` is the split that examples come from, or `all` itself (same data pointer), where a
/// sample is never its own example. Within groups (subjects, languages) examples are of the same
/// group and each group has a sequence of its own.
/// Empty for protocols without examples from data.
/// kPythonSample: one Random(seed) a group, one draw `sample(pool, count)` a document in document
/// order; where examples come from the evaluated split, count + 1 are drawn and the document itself
/// is taken out (or else the last one).
/// Throws: Error(kInput) when a group has fewer examples than the protocol shows.
std::vector<std::vector<Sample>> draw_shots(const Protocol& protocol, std::span<const Sample> all,
                                            std::span<const Sample> pool);

}  // namespace assay::evals
