#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "tests/support/scripted_executor.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using test::ScriptedExecutor;

// Sequences that come and go while others run; what a step holds is seen by the executor.

struct Bench {
  explicit Bench(std::int64_t pages, std::int64_t batch = 8)
      : pool(pages),
        scheduler(executor, pool, batch, true,
                  {.query = [](const Sequence&,
                               std::int64_t position) { return LogitQuery{.position = position}; },
                   .on_result = [this](Sequence& sequence, std::int64_t,
                                       const LogitResult&) -> std::optional<TokenId> {
                     if (++made[sequence.owner] >= sequence.max_tokens) return std::nullopt;
                     return 7;
                   },
                   .on_done = [this](Sequence& sequence) { done.push_back(sequence.owner); }}) {}

  void add(std::uint64_t owner, std::int64_t prompt, std::int64_t generate, TokenId filler = 1) {
    auto sequence = std::make_unique<Sequence>();
    sequence->ids.assign(static_cast<std::size_t>(prompt), filler);
    sequence->prompt_tokens = prompt;
    sequence->max_tokens = generate;
    sequence->first_logit = prompt - 1;
    sequence->owner = owner;
    std::vector<std::unique_ptr<Sequence>> one;
    one.push_back(std::move(sequence));
    scheduler.add(std::move(one));
  }

  ScriptedExecutor executor{[](const LogitQuery&) { return LogitResult{}; }};
  PagePool pool;
  std::map<std::uint64_t, std::int64_t> made;
  std::vector<std::uint64_t> done;
  Scheduler scheduler;
};

TEST(Scheduler, ASequenceAddedBetweenStepsJoinsTheNextOne) {
  Bench bench(8);
  EXPECT_FALSE(bench.scheduler.step());
  bench.add(1, 3, 3);
  EXPECT_TRUE(bench.scheduler.step());
  bench.add(2, 5, 1);
  EXPECT_TRUE(bench.scheduler.step());
  EXPECT_EQ(bench.executor.steps.back(), (std::vector<std::int64_t>{1, 5}));
  EXPECT_EQ(bench.done, (std::vector<std::uint64_t>{2}));
  while (bench.scheduler.step()) {
  }
  EXPECT_EQ(bench.done, (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(bench.made.at(1), 3);
}

TEST(Scheduler, ADroppedSequenceLeavesItsPagesToOthersAtOnce) {
  Bench bench(2);
  bench.add(1, 100, 20);  // both pages
  bench.add(2, 100, 20, 2);
  EXPECT_TRUE(bench.scheduler.step());
  EXPECT_TRUE(bench.scheduler.step());
  EXPECT_EQ(bench.pool.available(), 0);
  bench.scheduler.drop(1);
  EXPECT_EQ(bench.pool.available(), 2);
  while (bench.scheduler.step()) {
  }
  EXPECT_EQ(bench.done, (std::vector<std::uint64_t>{2}));
}

TEST(Scheduler, AWaitingSequenceCanBeDroppedBeforeItBegan) {
  Bench bench(8, 1);
  bench.add(1, 4, 2);
  bench.add(2, 4, 2);
  EXPECT_TRUE(bench.scheduler.step());
  bench.scheduler.drop(2);
  while (bench.scheduler.step()) {
  }
  EXPECT_EQ(bench.done, (std::vector<std::uint64_t>{1}));
}

TEST(Scheduler, ClearFreesAllPages) {
  Bench bench(8);
  for (std::uint64_t i = 0; i < 12; ++i) bench.add(i, 70, 9, static_cast<TokenId>(i));
  EXPECT_TRUE(bench.scheduler.step());
  bench.scheduler.clear();
  EXPECT_FALSE(bench.scheduler.step());
  EXPECT_EQ(bench.pool.available(), 8);
}

/// Short sequences that keep coming must not hold a long one off for ever.
TEST(Scheduler, ALongSequenceIsOvertakenABoundedNumberOfTimes) {
  Bench bench(4);
  std::uint64_t next = 10;
  for (int i = 0; i < 3; ++i) bench.add(next++, 2, 3, 5);
  EXPECT_TRUE(bench.scheduler.step());
  bench.add(1, 200, 2);  // all four pages
  for (int i = 0; i < 5000 && bench.made[1] < 2; ++i) {
    bench.add(next++, 2, 3, 5);
    EXPECT_TRUE(bench.scheduler.step());
  }
  EXPECT_EQ(bench.made.at(1), 2);
}

}  // namespace
}  // namespace assay::engine
