#include "engine/tokenizer_bpe.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace assay::engine {
namespace {

/// The definition: of all neighbours that join, the lowest rank, leftmost; until none is left.
std::vector<TokenId> merged_plainly(const MergeTable& merges, std::vector<TokenId> ids) {
  for (;;) {
    std::size_t best = ids.size();
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto* merge = merges.find(ids[i], ids[i + 1]);
      if (merge == nullptr) continue;
      if (best == ids.size() || merge->rank < merges.find(ids[best], ids[best + 1])->rank) best = i;
    }
    if (best == ids.size()) return ids;
    ids[best] = merges.find(ids[best], ids[best + 1])->id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(MergePairs, AgreesWithTheDefinitionOnRandomTables) {
  SplitMix64 random(7);
  for (int table = 0; table < 200; ++table) {
    MergeTable merges(64);
    for (std::int32_t i = 0; i < 40; ++i) {
      merges.add(static_cast<TokenId>(random.below(12)), static_cast<TokenId>(random.below(12)),
                 {.rank = static_cast<std::int32_t>(random.below(20)),
                  .id = static_cast<TokenId>(random.below(12))});
    }
    for (int round = 0; round < 20; ++round) {
      std::vector<TokenId> ids(random.below(80));
      for (TokenId& id : ids) id = static_cast<TokenId>(random.below(4));
      const std::vector<TokenId> expected = merged_plainly(merges, ids);
      merge_pairs(merges, ids);
      ASSERT_EQ(ids, expected);
    }
  }
}

TEST(MergeTable, RefusesAPairThatIsThere) {
  MergeTable merges(2);
  EXPECT_TRUE(merges.add(1, 2, {.rank = 0, .id = 3}));
  EXPECT_FALSE(merges.add(1, 2, {.rank = 1, .id = 4}));
  EXPECT_EQ(merges.find(1, 2)->id, 3);
  EXPECT_EQ(merges.find(2, 1), nullptr);
}

TEST(TextIndex, FindsEveryTextAndNothingElse) {
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) texts.push_back("t" + std::to_string(i * 7));
  texts.emplace_back("");
  const TextIndex index(texts);
  for (std::size_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(index.find(texts[i]), static_cast<TokenId>(i));
  }
  EXPECT_EQ(index.find("t1"), -1);
  EXPECT_EQ(index.find(""), -1);
}

}  // namespace
}  // namespace assay::engine
