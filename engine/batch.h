// One step of an engine: new tokens of several sequences as one ragged batch, and what is wanted of
// the logits after them. Executors (engine/executor.h) read it; the scheduler writes it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/completion.h"
#include "engine/request.h"

namespace assay::engine {

/// New tokens of one sequence, consecutive in the batch.
struct SequenceRows {
  std::int64_t first_row = 0;  // in the batch
  std::int64_t rows = 0;
  std::int64_t first_position = 0;      // of the first row in the sequence
  std::span<const std::int32_t> pages;  // of the whole sequence so far
};

/// What keys the random numbers of one completion.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t request = 0;  // digest of the request's id
  std::int64_t repeat = 0;
};

/// What is wanted of the logits after one row. Pointers and spans live until the step is done.
struct LogitQuery {
  std::int64_t row = 0;                      // of the batch
  const SamplingParams* sampling = nullptr;  // how a token is chosen; null: none is
  RandomKey key;                             // of the choice, with the position
  std::int64_t position = 0;                 // of the row in its sequence
  std::span<const TokenId> targets;          // whose log-probabilities are wanted
  int top = -1;  // >= 0: log-probability of the chosen token, if one is, and that many best
};

struct LogitResult {
  bool finite = true;  // false: a NaN or an infinity; nothing else is set then
  TokenId argmax = 0;  // ties to the lowest id
  TokenId chosen = 0;
  TokenLogprob logprob;                 // of `chosen`, when `top` >= 0
  std::vector<double> target_logprobs;  // natural log, one for each target
};

/// A row whose token the step before this one chooses.
struct ChosenToken {
  std::int32_t row = 0;
  std::int32_t query = 0;  // of that step, which chooses the token
};

struct Batch {
  std::vector<TokenId> ids;             // [rows]; 0 where `chosen` says the token
  std::vector<std::int64_t> positions;  // [rows]
  std::vector<SequenceRows> sequences;  // cover all rows in order
  std::vector<LogitQuery> queries;      // ascending rows
  std::vector<ChosenToken> chosen;      // ascending rows; empty where no step runs ahead
};

}  // namespace assay::engine
