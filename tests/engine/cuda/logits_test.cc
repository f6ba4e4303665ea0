// Statistics, draws and best logits on the device against the CPU's answers.
#include "engine/ops/logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/random.h"
#include "engine/ops/cpu_kernels.h"
#include "engine/sampler.h"
#include "tests/engine/cuda/device_array.h"

namespace assay::engine {
namespace {

using test::DeviceArray;

std::vector<float> random_logits(SplitMix64& random, int vocab) {
  std::vector<float> out(static_cast<std::size_t>(vocab));
  // Few distinct values, so that there are ties.
  for (float& value : out) value = static_cast<float>(random.below(2000)) * 0.01F - 10;
  return out;
}

std::vector<LogitAnswer> answer(const std::vector<float>& logits, int vocab,
                                const std::vector<LogitAsk>& asks) {
  const DeviceArray<float> device(logits);
  const DeviceArray<LogitAsk> device_asks(asks);
  const DeviceArray<LogitAnswer> answers(asks.size());
  logits_cuda(nullptr, {.logits = device.get(),
                        .ld = vocab,
                        .rows = static_cast<int>(asks.size()),
                        .vocab = vocab,
                        .asks = device_asks.get(),
                        .answers = answers.get()});
  EXPECT_TRUE(answers.guard_is_intact());
  return answers.values();
}

TEST(LogitsCuda, StatisticsAreTheCpusBitForBit) {
  SplitMix64 random(51);
  for (const int vocab : {1, 15, 128, 300, 1000, 5003}) {
    const auto logits = random_logits(random, vocab);
    const LogitAnswer got = answer(logits, vocab, {{.wants_sum = 1}})[0];
    const FlushSubnormals flush;
    const LogitStats expected = cpu_kernels().logit_stats(logits.data(), vocab);
    EXPECT_EQ(got.max, expected.max) << vocab;
    EXPECT_EQ(got.argmax, expected.argmax) << vocab;
    EXPECT_EQ(got.chosen, expected.argmax) << vocab;
    EXPECT_EQ(static_cast<double>(got.max) + std::log(got.sum), expected.log_sum_exp) << vocab;
    EXPECT_EQ(got.chosen_logit, expected.max);
  }
}

TEST(LogitsCuda, ARowThatIsNotFiniteIsMarked) {
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    std::vector<float> logits(600, 1.5F);
    logits[450] = bad;
    const auto answers = answer(logits, 300, {{}, {.samples = 1, .per_degree = 1}});
    EXPECT_EQ(answers[0].finite, 1);
    EXPECT_EQ(answers[1].finite, 0) << bad;
  }
}

struct Filters {
  double temperature;
  int top_k;
  double top_p, min_p;
};

TEST(LogitsCuda, DrawsAreTheCpuSamplersButForTheLastBits) {
  const Filters all[] = {{1, 0, 1, 0},   {0.5, 0, 1, 0},  {1.5, 7, 1, 0},
                         {1, 0, 0.3, 0}, {1, 40, 0.7, 0}, {2, 0, 0.95, 0.1},
                         {1, 1, 1, 0},   {1, 0, 1e-9, 0}, {1, 100000, 0.5, 0}};
  SplitMix64 random(52);
  int same = 0;
  int draws = 0;
  for (const Filters& f : all) {
    const auto logits = random_logits(random, 700);
    const SamplingParams sampling{
        .temperature = f.temperature, .top_k = f.top_k, .top_p = f.top_p, .min_p = f.min_p};
    const LogitStats stats = cpu_kernels().logit_stats(logits.data(), 700);
    for (int position = 0; position < 12; ++position) {
      const RandomKey key{.seed = 9, .request = 4};
      const LogitAsk ask{
          .samples = 1,
          .per_degree = static_cast<float>(1.4426950408889634 / f.temperature),
          .top_k = f.top_k,
          .top_p = f.top_p,
          .min_p = static_cast<float>(f.min_p),
          .draw = static_cast<std::uint32_t>(sampling_uniform(key, position) * 0x1p24F)};
      const int got = answer(logits, 700, {ask})[0].chosen;
      const int expected = sample_token(logits, stats, sampling, key, position);
      ++draws;
      same += got == expected ? 1 : 0;
    }
  }
  // Other rounding of the weights moves the boundaries between tokens by about 1e-7.
  EXPECT_GE(same, draws - 1);
}

TEST(LogitsCuda, ADrawHasTheDistributionOfItsWeights) {
  std::vector<float> logits(64, -30.0F);
  logits[3] = std::log(0.5F);
  logits[60] = std::log(0.25F);
  logits[10] = std::log(0.25F);
  std::vector<LogitAsk> asks;
  std::vector<float> rows;
  for (std::uint32_t i = 0; i < 64; ++i) {
    asks.push_back({.samples = 1, .per_degree = 1.44269504F, .draw = (i << 18) + (1U << 17)});
    rows.insert(rows.end(), logits.begin(), logits.end());
  }
  std::map<int, int> counts;
  for (const LogitAnswer& got : answer(rows, 64, asks)) ++counts[got.chosen];
  EXPECT_EQ(counts[3], 32);
  EXPECT_EQ(counts[10], 16);
  EXPECT_EQ(counts[60], 16);
}

TEST(TopLogitsCuda, GivesTheBestWithTiesToTheLowestId) {
  SplitMix64 random(53);
  const int vocab = 900;
  const int most = 50;
  auto logits = random_logits(random, vocab);
  const auto second = random_logits(random, vocab);
  logits.insert(logits.end(), second.begin(), second.end());
  logits[5] = 0.0F;
  logits[6] = -0.0F;
  const DeviceArray<float> device(logits);
  const DeviceArray<int> counts(std::vector<int>{most, 3});
  const DeviceArray<TopEntry> out(2 * most);
  top_logits_cuda(nullptr, {.logits = device.get(),
                            .ld = vocab,
                            .rows = 2,
                            .vocab = vocab,
                            .counts = counts.get(),
                            .out = out.get(),
                            .most = most});
  const auto entries = out.values();
  EXPECT_TRUE(out.guard_is_intact());
  for (int row = 0; row < 2; ++row) {
    const float* mine = logits.data() + row * vocab;
    std::vector<int> order(static_cast<std::size_t>(vocab));
    for (int i = 0; i < vocab; ++i) order[static_cast<std::size_t>(i)] = i;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return mine[a] > mine[b]; });
    order.resize(row == 0 ? most : 3);
    std::sort(order.begin(), order.end());
    std::vector<int> got;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const TopEntry& entry = entries[static_cast<std::size_t>(row * most) + i];
      got.push_back(entry.id);
      EXPECT_EQ(entry.logit, mine[entry.id]);
    }
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, order);
  }
}

TEST(GatherLogitsCuda, ReadsTheWantedPlaces) {
  const DeviceArray<float> logits(std::vector<float>{0, 1, 2, 3, 4, 5});
  const DeviceArray<int> rows(std::vector<int>{1, 0, 1});
  const DeviceArray<int> ids(std::vector<int>{2, 1, 0});
  const DeviceArray<float> out(3);
  gather_logits_cuda(nullptr, {.logits = logits.get(),
                               .ld = 3,
                               .count = 3,
                               .rows = rows.get(),
                               .ids = ids.get(),
                               .out = out.get()});
  EXPECT_EQ(out.values(), (std::vector<float>{5, 1, 3}));
}

}  // namespace
}  // namespace assay::engine
