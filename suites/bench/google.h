// Google Benchmark's JSON: programs are run, their results become cases of the store, and back, so
// that its own compare tools take results of both.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/roofline.h"
#include "store/records.h"

namespace assay::suites {

/// Every repetition ("run_type": "iteration") of a document; aggregates are left out, they follow
/// from the repetitions. A repetition that ended in an error is an invalid one.
/// Values: time_ns (wall clock, or the program's own clock), cpu_time_ns, iterations, and counters:
/// bytes_per_s, items_per_s, flops_per_s ("flop/s"), others by their own names.
/// Throws: Error(kInput) naming `source` for a document of another form.
std::vector<store::BenchCaseRecord> read_google(const Json& document, const std::string& source);

/// The document that google/benchmark would have written: context and one entry a repetition.
Json google_json(const std::vector<store::BenchCaseRecord>& cases, const Json& context);

/// Adds share_of_roofline, the larger of its shares of bandwidth and arithmetic, to repetitions
/// with such counters. "/cuda/" in the name takes the GPU's bounds, "/cpu/" or none the bounds of
/// one thread. Above 1 the data came from a cache.
void add_roofline_shares(std::vector<store::BenchCaseRecord>& cases,
                         const std::vector<engine::Roofline>& rooflines);

struct KernelPrograms {
  std::filesystem::path folder;  // every executable in it whose name ends in "_kernels"
  std::string filter;            // as --benchmark_filter; "" for all
  std::int64_t reps = 5;
  double min_time_s = 0.1;
};
/// Names, sorted. Throws: Error(kInput) when there are none.
std::vector<std::filesystem::path> kernel_programs(const std::filesystem::path& folder);
/// Runs one and returns what it wrote, or null when the filter leaves nothing of it or a signal
/// asks to stop: the program is then ended, and what it had measured is lost.
/// Throws: Error(kEnvironment) when it fails.
Json run_google(const std::filesystem::path& program, const KernelPrograms& options);

}  // namespace assay::suites
