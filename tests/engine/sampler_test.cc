#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace assay::engine {
namespace {

// Distributions small enough to compute by hand; draws at many positions.

constexpr std::array<float, 5> kLogits{1.0F, 3.0F, 2.0F, 3.0F, -1.0F};

LogitStats stats_of(std::span<const float> logits) {
  return cpu_kernels().logit_stats(logits.data(), static_cast<std::int64_t>(logits.size()));
}

TokenId draw(const SamplingParams& sampling, std::int64_t position, std::uint64_t seed = 1) {
  return sample_token(kLogits, stats_of(kLogits), sampling, {.seed = seed}, position);
}

TEST(Sampler, ZeroTemperatureTakesTheLowestOfEqualLogits) { EXPECT_EQ(draw({}, 0), 1); }

TEST(Sampler, TheSameKeyAndPositionDrawTheSameToken) {
  const SamplingParams sampling{.temperature = 1};
  bool positions_differ = false;
  bool seeds_differ = false;
  for (std::int64_t position = 0; position < 64; ++position) {
    EXPECT_EQ(draw(sampling, position), draw(sampling, position));
    positions_differ = positions_differ || draw(sampling, position) != draw(sampling, 0);
    seeds_differ = seeds_differ || draw(sampling, position) != draw(sampling, position, 2);
  }
  EXPECT_TRUE(positions_differ);
  EXPECT_TRUE(seeds_differ);
}

TEST(Sampler, FrequenciesFollowTheSoftmaxAtTheTemperature) {
  constexpr int kDraws = 20000;
  const SamplingParams sampling{.temperature = 2};
  std::array<int, 5> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(draw(sampling, i))];
  double total = 0;
  for (const float logit : kLogits) total += std::exp(static_cast<double>(logit) / 2);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double p = std::exp(static_cast<double>(kLogits[i]) / 2) / total;
    // Five standard deviations of a binomial count.
    EXPECT_NEAR(counts[i], p * kDraws, 5 * std::sqrt(p * (1 - p) * kDraws)) << i;
  }
}

TEST(Sampler, FiltersKeepExactlyTheirTokens) {
  struct Case {
    SamplingParams sampling;
    std::array<bool, 5> kept;
  };
  const Case cases[] = {
      {{.temperature = 1, .top_k = 1}, {false, true, false, false, false}},
      {{.temperature = 1, .top_k = 2}, {false, true, false, true, false}},
      {{.temperature = 1, .top_k = 3}, {false, true, true, true, false}},
      // The two likeliest have 0.796 of the mass together, 0.398 each.
      {{.temperature = 1, .top_p = 0.3}, {false, true, false, false, false}},
      {{.temperature = 1, .top_p = 0.7}, {false, true, false, true, false}},
      {{.temperature = 1, .top_p = 0.9}, {false, true, true, true, false}},
      // Relative to the likeliest: 1, e^-1 = 0.37, e^-2 = 0.14.
      {{.temperature = 1, .min_p = 0.5}, {false, true, false, true, false}},
      {{.temperature = 1, .min_p = 0.3}, {false, true, true, true, false}},
  };
  for (const Case& one : cases) {
    std::array<bool, 5> seen{};
    for (int i = 0; i < 2000; ++i) seen[static_cast<std::size_t>(draw(one.sampling, i))] = true;
    EXPECT_EQ(seen, one.kept) << one.sampling.top_k << " " << one.sampling.top_p << " "
                              << one.sampling.min_p;
  }
}

TEST(Sampler, LogProbabilitiesOfAllTokensSumToOneInTheirOrder) {
  const TokenLogprob token = token_logprob(kLogits, stats_of(kLogits), 2, 5);
  double mass = 0;
  for (const auto& [id, value] : token.top) mass += std::exp(static_cast<double>(value));
  EXPECT_NEAR(mass, 1, 1e-6);
  ASSERT_EQ(token.top.size(), 5U);
  constexpr TokenId kOrder[] = {1, 3, 2, 0, 4};
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(token.top[i].first, kOrder[i]);
  EXPECT_EQ(token.logprob, token.top[2].second);
}

TEST(Sampler, ANotANumberInTheLogitsIsSeen) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (std::size_t at : {0U, 15U, 16U, 40U}) {
      std::vector<float> logits(41, 1.0F);
      logits[at] = bad;
      EXPECT_FALSE(stats_of(logits).finite) << bad << " at " << at;
    }
  }
}

TEST(Sampler, ABiasDecidesTheChoiceAndLeavesLogProbabilitiesAlone) {
  const CpuKernels& kernels = cpu_kernels();
  for (const double temperature : {0.0, 1.0}) {
    SamplingParams sampling{.temperature = temperature};
    const LogitResult plain = answer_query(kLogits, kernels, {.sampling = &sampling, .top = 5});
    sampling.logit_bias = {{4, 100.0F}};
    const LogitResult forced = answer_query(kLogits, kernels, {.sampling = &sampling, .top = 5});
    EXPECT_EQ(forced.chosen, 4);
    EXPECT_EQ(forced.argmax, 1);
    EXPECT_EQ(forced.logprob.top, plain.logprob.top);
    EXPECT_EQ(forced.logprob.logprob, plain.logprob.top.back().second);
  }
  SamplingParams sampling;
  sampling.logit_bias = {{1, -100.0F}, {3, -100.0F}};
  EXPECT_EQ(answer_query(kLogits, kernels, {.sampling = &sampling}).chosen, 2);
}

}  // namespace
}  // namespace assay::engine
