#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace assay::engine {
namespace {

struct Candidate {
  TokenId id = 0;
  double weight = 0;  // proportional to the probability
};

/// Before: larger weight, then lower id.
bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

void keep_top_p(std::vector<Candidate>& candidates, double top_p) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  double mass = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && mass < top_p * total) mass += candidates[kept++].weight;
  candidates.resize(std::max<std::size_t>(1, kept));
}

std::vector<Candidate> filtered(std::span<const float> logits, const LogitStats& stats,
                                const SamplingParams& sampling) {
  std::vector<Candidate> candidates(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double scaled =
        (static_cast<double>(logits[i]) - static_cast<double>(stats.max)) / sampling.temperature;
    candidates[i] = {static_cast<TokenId>(i), std::exp(scaled)};
  }
  const bool filters = sampling.top_k > 0 || sampling.top_p < 1 || sampling.min_p > 0;
  if (!filters) return candidates;
  std::sort(candidates.begin(), candidates.end(), ranks_before);
  if (sampling.top_k > 0 && static_cast<std::size_t>(sampling.top_k) < candidates.size()) {
    candidates.resize(static_cast<std::size_t>(sampling.top_k));
  }
  if (sampling.top_p < 1) keep_top_p(candidates, sampling.top_p);
  if (sampling.min_p > 0) {
    const double least = sampling.min_p * candidates.front().weight;
    std::erase_if(candidates, [&](const Candidate& c) { return c.weight < least; });
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  return candidates;
}

/// The choice from logits with the request's bias on them.
TokenId sample_biased(std::span<const float> logits, const CpuKernels& kernels,
                      const LogitQuery& query) {
  std::vector<float> biased(logits.begin(), logits.end());
  for (const auto& [id, bias] : query.sampling->logit_bias) {
    biased[static_cast<std::size_t>(id)] += bias;
  }
  const LogitStats stats =
      kernels.logit_stats(biased.data(), static_cast<std::int64_t>(biased.size()));
  return sample_token(biased, stats, *query.sampling, query.key, query.position);
}

}  // namespace

float sampling_uniform(const RandomKey& key, std::int64_t position) {
  const std::uint64_t mixed = SplitMix64(key.seed ^ SplitMix64(key.request)())();
  const auto bits = philox4x32(
      {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32),
       static_cast<std::uint32_t>(key.repeat), static_cast<std::uint32_t>(key.repeat >> 32)},
      {static_cast<std::uint32_t>(mixed), static_cast<std::uint32_t>(mixed >> 32)});
  return uniform24(bits[0]);
}

TokenId sample_token(std::span<const float> logits, const LogitStats& stats,
                     const SamplingParams& sampling, const RandomKey& key, std::int64_t position) {
  if (sampling.temperature <= 0) return static_cast<TokenId>(stats.argmax);
  const std::vector<Candidate> candidates = filtered(logits, stats, sampling);
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  double rest = static_cast<double>(sampling_uniform(key, position)) * total;
  for (const Candidate& candidate : candidates) {
    rest -= candidate.weight;
    if (rest < 0) return candidate.id;
  }
  return candidates.back().id;
}

TokenLogprob token_logprob(std::span<const float> logits, const LogitStats& stats, TokenId id,
                           int count) {
  const auto logprob = [&](TokenId token) {
    return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(token)]) -
                              stats.log_sum_exp);
  };
  TokenLogprob out{.id = id, .logprob = logprob(id)};
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto wanted =
      std::min<std::size_t>(static_cast<std::size_t>(std::max(0, count)), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(),
                    [&](TokenId a, TokenId b) {
                      const float x = logits[static_cast<std::size_t>(a)];
                      const float y = logits[static_cast<std::size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  for (std::size_t i = 0; i < wanted; ++i) out.top.emplace_back(order[i], logprob(order[i]));
  return out;
}

LogitResult answer_query(std::span<const float> logits, const CpuKernels& kernels,
                         const LogitQuery& query) {
  const LogitStats stats =
      kernels.logit_stats(logits.data(), static_cast<std::int64_t>(logits.size()));
  LogitResult result{.finite = stats.finite, .argmax = static_cast<TokenId>(stats.argmax)};
  if (!stats.finite) return result;
  for (const TokenId id : query.targets) {
    result.target_logprobs.push_back(static_cast<double>(logits[static_cast<std::size_t>(id)]) -
                                     stats.log_sum_exp);
  }
  if (query.sampling != nullptr) {
    result.chosen = query.sampling->logit_bias.empty()
                        ? sample_token(logits, stats, *query.sampling, query.key, query.position)
                        : sample_biased(logits, kernels, query);
  }
  if (query.top >= 0) result.logprob = token_logprob(logits, stats, result.chosen, query.top);
  return result;
}

}  // namespace assay::engine
