// Scores responses that were generated elsewhere: a JSON Lines file of ids and responses against a
// data set.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "datasets/load.h"
#include "evals/aggregate.h"
#include "evals/benchmark.h"

namespace assay::suites {

/// One line of a responses file.
struct FileResponse {
  std::string id;
  evals::Response response;
  std::int64_t line = 0;
  std::int64_t repeat = 0;  // how many lines with this id came before
};

/// Lines {"id", "response"}; optional "logprobs" (one number a choice, instead of a response) and
/// "truncated"; other members are ignored, empty lines skipped. Plain or gzip.
/// Throws: Error(kInput) "file:line: reason"; with `bad`, such lines are listed there instead.
std::vector<FileResponse> read_responses(const std::filesystem::path& path,
                                         std::vector<datasets::BadRecord>* bad = nullptr);

struct ScoreFileOptions {
  std::string task;      // "mmlu" or "mmlu@lm-eval"
  std::string protocol;  // over the one in `task`
  std::string split;     // "" for the protocol's
  std::filesystem::path data;
  std::filesystem::path responses;
  std::string prompts;  // file of published samples: fixes the order of choices, and verdicts are
                        // compared; "" for none. Its responses are scored if `responses` is empty.
  std::string answer_after;
  bool custom_data = false;
  bool skip_bad = false;
  int threads = 1;
  evals::Sandbox* sandbox = nullptr;
  const evals::LanguageData* language = nullptr;  // null: the scorers' stand-ins
};

/// Our verdicts beside the publisher's, over the responses whose sample has one.
struct PublishedComparison {
  std::int64_t compared = 0;
  std::int64_t agree = 0;
  std::int64_t only_ours = 0;    // correct here, not there
  std::int64_t only_theirs = 0;  // correct there, not here
};

struct ScoredFile {
  const evals::Benchmark* benchmark = nullptr;
  const evals::Protocol* protocol = nullptr;
  std::vector<FileResponse> responses;  // in the order of the file
  std::vector<evals::Sample> samples;   // of each response
  std::vector<evals::Score> scores;     // of each response
  std::string language_data;            // what sentences and languages were judged by; "" for none
  std::int64_t unanswered = 0;          // samples of the data set without a response
  std::vector<datasets::BadRecord> bad;
  evals::Aggregate aggregate;
  std::optional<PublishedComparison> published;  // with a file of published samples

  /// The document of `assay score --json`.
  [[nodiscard]] Json summary() const;
  /// One line of `--verdicts`.
  [[nodiscard]] Json verdict(std::size_t index) const;
};

/// Throws: Error(kInput) for data or responses that cannot be used, and for an id that the data
/// set does not have.
ScoredFile score_file(const ScoreFileOptions& options);

/// {"id", "answer"} of each response, by the extractor alone.
std::vector<Json> extract_file(const ScoreFileOptions& options);

}  // namespace assay::suites
