// R14: too little room is said before anything is asked.
#include "suites/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evals/benchmark.h"

namespace assay::suites {
namespace {

using ::testing::HasSubstr;

PlannedTask task_of(std::int64_t samples, std::int64_t max_tokens) {
  PlannedTask task;
  task.benchmark = &evals::find_benchmark("gsm8k");
  task.protocol = &evals::find_protocol(*task.benchmark, "assay-0shot");
  task.options.sampling.max_tokens = max_tokens;
  task.samples.resize(static_cast<std::size_t>(samples));
  task.shots.resize(task.samples.size());
  return task;
}

TEST(Space, AnEstimateGrowsWithSamplesRepeatsAndTokens) {
  std::vector<PlannedTask> tasks;
  tasks.push_back(task_of(100, 100));
  const std::int64_t small = estimated_store_bytes(tasks);
  EXPECT_GT(small, 100 * 100);
  tasks[0].options.repeats = 3;
  EXPECT_EQ(estimated_store_bytes(tasks), 3 * small);
  tasks[0] = task_of(100, 10'000);
  EXPECT_GT(estimated_store_bytes(tasks), 10 * small);
  tasks[0] = task_of(0, 100);
  EXPECT_EQ(estimated_store_bytes(tasks), 0);
}

TEST(Space, TooLittleIsSaidWithBothFigures) {
  EXPECT_EQ(space_warning("results.db", 100, 100), "");
  const std::string warning = space_warning("results.db", 3 << 20, 1 << 20);
  EXPECT_THAT(warning, HasSubstr("results.db"));
  EXPECT_THAT(warning, HasSubstr("3.0 MiB"));
  EXPECT_THAT(warning, HasSubstr("1.0 MiB are free"));
}

}  // namespace
}  // namespace assay::suites
