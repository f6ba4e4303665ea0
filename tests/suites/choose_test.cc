#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "suites/plan.h"

namespace assay::suites {
namespace {

std::vector<evals::Sample> samples(int count) {
  std::vector<evals::Sample> out;
  for (int i = 0; i < count; ++i) {
    out.push_back({.id = "t/" + std::to_string(i), .group = i % 3 == 0 ? "a" : "b"});
  }
  return out;
}

TEST(ChooseSamples, LimitsTakeTheFirstOnesInOrder) {
  EXPECT_EQ(choose_samples(samples(6), {.limit = 2}, 0), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(choose_samples(samples(6), {.limit = 4}, 1), (std::vector<std::size_t>{0}));
  EXPECT_EQ(choose_samples(samples(6), {.limit_per_group = 1}, 0),
            (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(choose_samples(samples(6), {.groups = {"a"}}, 0), (std::vector<std::size_t>{0, 3}));
}

TEST(ChooseSamples, ASeededChoiceKeepsItsMembersWhenTheDataSetGrows) {
  const SuiteTask task{.limit = 20, .shuffle_seed = 7};
  const auto chosen = choose_samples(samples(60), task, 0);
  ASSERT_EQ(chosen.size(), 20U);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  EXPECT_NE(chosen, choose_samples(samples(60), {.limit = 20, .shuffle_seed = 8}, 0));
  // Among more samples the chosen ones change only where new ones come earlier in the shuffled
  // order.
  const auto larger = choose_samples(samples(90), task, 0);
  std::size_t kept = 0;
  for (const std::size_t index : larger) {
    if (index < 60) {
      EXPECT_TRUE(std::binary_search(chosen.begin(), chosen.end(), index));
      ++kept;
    }
  }
  EXPECT_GT(kept, 5U);
}

TEST(SeededBlocks, HoldEverySampleOnceAndWholeClusters) {
  std::vector<evals::Sample> samples(500);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].id = "s" + std::to_string(i);
    samples[i].cluster = "c" + std::to_string(i % 100);
  }
  const auto blocks = seeded_blocks(samples, 7);
  std::vector<std::size_t> all;
  std::set<std::string> seen;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    if (b + 1 < blocks.size()) {
      EXPECT_GE(blocks[b].size(), 64U);
    }
    std::set<std::string> here;
    for (const std::size_t i : blocks[b]) here.insert(samples[i].cluster);
    for (const std::string& cluster : here) EXPECT_TRUE(seen.insert(cluster).second) << cluster;
    all.insert(all.end(), blocks[b].begin(), blocks[b].end());
  }
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(seeded_blocks(samples, 7), blocks);
  EXPECT_NE(seeded_blocks(samples, 8), blocks);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()) - all.begin(), 500);
  EXPECT_EQ(all.size(), 500U);
}

}  // namespace
}  // namespace assay::suites
