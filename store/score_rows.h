// Scores of a task without texts, for statistics over many samples.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace assay::store {

/// One response; a task's are in the order (position, repeat).
struct ScoreRow {
  std::int64_t generation = 0;  // row key, for looking the texts up
  std::int64_t position = 0;
  std::int64_t repeat = 0;
  std::int64_t item = 0;    // row key: equal items have equal keys within a file
  std::int64_t prompt = 0;  // row key: equal prompts have equal keys within a file
  std::array<std::uint8_t, 16> output_hash{};
  bool error = false;   // no response
  bool scored = false;  // has a score other than unscored
  bool correct = false;
  double value = 0;
  bool truncated = false;  // stopped at the limit of tokens
  std::int64_t output_tokens = 0;
  std::int64_t first_token_ns = 0;  // from being sent to the first token; 0: not measured
  std::int64_t total_ns = 0;        // from being sent to the last token; 0: not measured
  std::uint32_t first_part = 0;     // index into TaskScores::parts
  std::uint32_t part_count = 0;
  std::uint64_t vote_hash = 0;  // equal for answers that a majority counts as one; 0 for no answer
};
struct PartRow {
  std::uint32_t metric = 0;  // index into TaskScores::metric_names
  double value = 0;
  double count = 1;
};
struct TaskScores {
  std::vector<ScoreRow> rows;
  std::vector<PartRow> parts;
  std::vector<std::string> metric_names;
  std::int64_t damaged = 0;  // rows whose digest does not fit; they are left out of `rows`
};

}  // namespace assay::store
