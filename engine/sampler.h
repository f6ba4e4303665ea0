// From logits to a token. Randomness is a function of seed, request, repeat and position alone.
#pragma once

#include <cstdint>
#include <span>

#include "engine/batch.h"
#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

/// The number that decides a draw: uniform in [0, 1) with 24 bits.
float sampling_uniform(const RandomKey& key, std::int64_t position);

/// Temperature 0: the largest logit, ties to the lowest id. Else temperature, top-k, top-p (the
/// smallest prefix by probability descending, id ascending, with at least that mass), min-p, then
/// one uniform number on the inverse of the distribution in id order.
TokenId sample_token(std::span<const float> logits, const LogitStats& stats,
                     const SamplingParams& sampling, const RandomKey& key, std::int64_t position);

/// Natural log-probability of `id` and the `count` best, by (log-probability descending, id
/// ascending).
TokenLogprob token_logprob(std::span<const float> logits, const LogitStats& stats, TokenId id,
                           int count);

/// Everything that `query` asks of one row of logits.
LogitResult answer_query(std::span<const float> logits, const CpuKernels& kernels,
                         const LogitQuery& query);

}  // namespace assay::engine
