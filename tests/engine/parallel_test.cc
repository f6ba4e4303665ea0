// How a model is cut into ranks, and how ranks exchange sums. Whole models cut into ranks are in
// reference_test.cc.
#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "engine/parallel/communicator.h"
#include "engine/parallel/partition.h"
#include "engine/shapes.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using enum WeightKind;

/// Every shape of the family: each weight is covered exactly once, KV heads by those who need them.
TEST(Partition, CoversEveryWeightOfTheRealShapesExactlyOnce) {
  for (const char* name :
       {"llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", "llama-3.3-70b", "llama-3.1-405b"}) {
    const ModelConfig config = known_shape(name);
    for (const int size : {1, 2, 4, 8}) {
      for (const WeightKind kind : {kQ, kO, kGate, kDown, kLmHead}) {
        std::int64_t next = 0;
        for (int rank = 0; rank < size; ++rank) {
          const Partition p = make_partition(config, size, rank);
          const WeightSlice slice = weight_slice(config, p, kind);
          const Range& cut = slice.shards == 1 ? slice.outputs : slice.inputs;
          if (kind == kO || kind == kDown) {
            EXPECT_EQ(slice.shards, 8 / size);
            EXPECT_EQ(slice.outputs, (Range{0, config.hidden}));
            EXPECT_EQ(slice.inputs.begin, next);
            next = slice.inputs.end;
          } else {
            EXPECT_EQ(cut.begin, next) << name << size;
            next = cut.end;
          }
        }
        const std::int64_t whole = kind == kQ || kind == kO         ? config.q_width()
                                   : kind == kGate || kind == kDown ? config.intermediate
                                                                    : config.vocab;
        EXPECT_EQ(next, whole) << name << " " << size << " " << static_cast<int>(kind);
      }
    }
  }
}

TEST(Partition, AKvHeadIsWithEveryRankWhoseQueriesUseIt) {
  ModelConfig config = known_shape("llama-3.1-8b");
  config.heads = 16;
  config.kv_heads = 2;
  for (int rank = 0; rank < 8; ++rank) {
    const Partition p = make_partition(config, 8, rank);
    EXPECT_EQ(p.heads, (Range{2 * rank, 2 * rank + 2}));
    EXPECT_EQ(p.kv_heads, (Range{rank / 4, rank / 4 + 1}));
  }
}

TEST(Partition, FeaturesThatEighthsDoNotDivideEndInZeros) {
  ModelConfig config = known_shape("llama-3.2-1b");
  config.intermediate = 172;
  EXPECT_EQ(make_partition(config, 1, 0).features, (Range{0, 176}));
  EXPECT_EQ(make_partition(config, 8, 7).features, (Range{154, 176}));
}

TEST(Partition, RefusesInOneLineWhatCannotBeCut) {
  const ModelConfig config = known_shape("llama-3.2-3b");  // 24 heads
  EXPECT_NE(test::error_message([&] { make_partition(config, 3, 0); }).find("1, 2, 4 or 8"),
            std::string::npos);
  ModelConfig odd = config;
  odd.heads = 12;
  odd.kv_heads = 4;
  EXPECT_NE(test::error_message([&] { make_partition(odd, 8, 0); }).find("12 query heads"),
            std::string::npos);
  odd.heads = 24;
  odd.kv_heads = 3;  // rank 2 of 8 would need two of them, the others one
  EXPECT_NE(test::error_message([&] { make_partition(odd, 8, 0); }).find("3 KV heads"),
            std::string::npos);
}

/// Runs body(communicator) on every rank.
template <typename Body>
void on_ranks(int size, std::int64_t floats, const Body& body) {
  ThreadGroup group(size, floats);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(group, rank);
      body(communicator);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// The sum's order is part of the definition: a tree over ranks, whatever the length.
TEST(ThreadCommunicator, SumsAsATreeOverRanksAgainAndAgain) {
  constexpr std::int64_t kCount = 1003;
  for (const int size : {1, 2, 4, 8}) {
    std::vector<std::vector<float>> parts(static_cast<std::size_t>(size));
    SplitMix64 random(7);
    for (auto& part : parts) {
      for (std::int64_t i = 0; i < kCount; ++i)
        part.push_back(static_cast<float>(random.uniform() - 0.5));
    }
    std::vector<float> expected = parts[0];
    for (std::size_t i = 0; i < expected.size(); ++i) {
      std::vector<float> level;
      for (const auto& part : parts) level.push_back(part[i]);
      for (; level.size() > 1; level.resize(level.size() / 2)) {
        for (std::size_t k = 0; k < level.size() / 2; ++k) {
          level[k] = level[2 * k] + level[2 * k + 1];
        }
      }
      expected[i] = level[0];
    }
    on_ranks(size, kCount, [&](ThreadCommunicator& communicator) {
      for (int round = 0; round < 50; ++round) {
        const std::int64_t count = kCount - round;
        std::vector<float> data = parts[static_cast<std::size_t>(communicator.rank())];
        communicator.all_reduce_sum(data.data(), count);
        data.resize(static_cast<std::size_t>(count));
        EXPECT_EQ(data, std::vector<float>(expected.begin(), expected.begin() + count));
      }
    });
  }
}

TEST(ThreadCommunicator, GathersInRankOrder) {
  on_ranks(4, 1, [](ThreadCommunicator& communicator) {
    const float part[2] = {static_cast<float>(communicator.rank()), 0.5F};
    std::vector<float> all(8);
    communicator.all_gather(part, 2, all.data());
    EXPECT_EQ(all, (std::vector<float>{0, 0.5F, 1, 0.5F, 2, 0.5F, 3, 0.5F}));
  });
}

TEST(ThreadCommunicator, ARankThatFailsFreesTheOthers) {
  on_ranks(4, 8, [](ThreadCommunicator& communicator) {
    if (communicator.rank() == 2) return communicator.abort();
    float data[8] = {};
    EXPECT_THROW(communicator.all_reduce_sum(data, 8), Error);
    EXPECT_THROW(communicator.barrier(), Error);
  });
}

}  // namespace
}  // namespace assay::engine
