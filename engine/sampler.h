// From logits to a token. Randomness is a function of seed, request, repeat and position alone.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/completion.h"
#include "engine/ops/cpu_kernels.h"
#include "engine/request.h"

namespace assay::engine {

/// What keys the random numbers of one completion.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t request = 0;  // digest of the request's id
  std::int64_t repeat = 0;
};

/// Temperature 0: the largest logit, ties to the lowest id. Else temperature, top-k, top-p (the
/// smallest prefix by probability descending, id ascending, with at least that mass), min-p, then
/// one uniform number on the inverse of the distribution in id order.
TokenId sample_token(std::span<const float> logits, const LogitStats& stats,
                     const SamplingParams& sampling, const RandomKey& key, std::int64_t position);

/// Natural log-probability of `id` and the `count` best, by (log-probability descending, id
/// ascending).
TokenLogprob token_logprob(std::span<const float> logits, const LogitStats& stats, TokenId id,
                           int count);

}  // namespace assay::engine
