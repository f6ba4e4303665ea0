// From a suite's task to the list of samples that are asked, with the worked examples of each.
// Planning reads data files but needs no model; the same files and suite give the same plan.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "datasets/load.h"
#include "engine/request.h"
#include "evals/benchmark.h"
#include "suites/suite.h"

namespace assay::suites {

/// Part `index` of `count` of every task's samples, from 1: a range in the order of the data set,
/// so that neighbours keep sharing prompts' prefixes.
struct Shard {
  std::int64_t index = 1;
  std::int64_t count = 1;
};
/// "2/8". Throws: Error(kInput).
Shard parse_shard(const std::string& text);

struct PlanOptions {
  std::filesystem::path data;  // folder with one folder a data set
  bool skip_bad = false;       // leave malformed records out and report them
  std::int64_t limit = 0;      // over every task's own limit; 0: none
  Shard shard;                 // of what is chosen
};

/// One task of a suite, ready to be asked. Owns its samples.
struct PlannedTask {
  SuiteTask options;
  const evals::Benchmark* benchmark = nullptr;
  const evals::Protocol* protocol = nullptr;
  std::string split;
  std::vector<evals::Sample> samples;  // chosen, in the order of the data set
  std::size_t begin = 0;               // of the samples that are asked: a shard's
  std::size_t end = 0;
  std::vector<std::vector<evals::Sample>> shots;  // worked examples of each sample
  std::vector<evals::MetricSpec> metrics;         // the protocol's, and those that repeats allow
  std::optional<evals::PromptTemplates> templates;
  std::string data_sha256;     // of the files read, shots included
  bool published_data = true;  // digests are the published ones
  std::vector<datasets::BadRecord> bad;

  /// "gsm8k@assay"
  [[nodiscard]] std::string label() const;
  /// What fixes the meaning of a score: protocol, version, split, sampling, shots, data, prompts.
  [[nodiscard]] Json definition() const;
};

/// In the order of the records. Throws: Error(kInput) for a record that does not fit the benchmark;
/// with `bad`, such records are listed there instead.
std::vector<evals::Sample> to_samples(const evals::Benchmark& benchmark,
                                      const std::vector<datasets::Record>& records,
                                      std::vector<datasets::BadRecord>* bad);

/// Loads and chooses. Throws: Error(kInput) for data or prompt files that cannot be used, and for a
/// choice that leaves no sample.
PlannedTask plan_task(const SuiteTask& task, const PlanOptions& options);

/// Indices that `groups`, `limit`, `limit_per_group` and `shuffle_seed` keep, ascending.
/// `limit` 0 means none beside the task's own.
std::vector<std::size_t> choose_samples(const std::vector<evals::Sample>& samples,
                                        const SuiteTask& task, std::int64_t limit);

/// All indices, whole clusters in a random order (`seeded_rank` of seed and cluster), cut into
/// blocks that end with a cluster: at least 64 samples and an eighth of those before. After each
/// block one may stop (early stopping): small enough that little is asked in vain, few enough that
/// an engine works on full batches.
std::vector<std::vector<std::size_t>> seeded_blocks(const std::vector<evals::Sample>& samples,
                                                    std::uint64_t seed);

evals::Prompt make_prompt(const PlannedTask& task, std::size_t sample, std::int64_t repeat);

engine::Request make_request(const PlannedTask& task, std::size_t sample, std::int64_t repeat,
                             std::uint64_t seed);

}  // namespace assay::suites
