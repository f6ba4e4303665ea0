#include "store/machine_speed.h"

#include <gtest/gtest.h>

namespace assay::store {
namespace {

TEST(MachineSpeedTest, OnlyWhatIsBeyondTheLimitIsADifference) {
  const MachineSpeed usual{.read_bytes_per_s = 100, .flops_per_s = 200, .loops_per_s = 10};
  EXPECT_EQ(difference(usual, usual, 0.15), "");
  EXPECT_EQ(difference(usual, {.read_bytes_per_s = 86, .flops_per_s = 230, .loops_per_s = 9}, 0.15),
            "");
  EXPECT_EQ(
      difference(usual, {.read_bytes_per_s = 161, .flops_per_s = 200, .loops_per_s = 4.6}, 0.15),
      "memory is read at 161 %, threads meet at 46 %");
  EXPECT_EQ(difference(usual, {.read_bytes_per_s = 100, .flops_per_s = 90}, 0.15),
            "cores compute at 45 %");  // what was not measured is no difference
  EXPECT_EQ(difference(usual, {.read_bytes_per_s = 1, .flops_per_s = 1, .loops_per_s = 1}, 1), "");
}

TEST(MachineSpeedTest, WhatIsUsualComesFromValidRepetitions) {
  const auto rep = [](double read, const char* invalid) {
    BenchRepRecord out{.invalid_reason = invalid};
    out.detail.set("machine_speed",
                   to_json({.read_bytes_per_s = read, .flops_per_s = 1, .loops_per_s = 1},
                           {.read_bytes_per_s = read + 1, .flops_per_s = 1, .loops_per_s = 1}));
    return out;
  };
  BenchCaseRecord bench;
  EXPECT_FALSE(usual_speed(bench));
  bench.reps = {rep(10, ""), rep(20, ""), rep(90, "noisy"), rep(95, "noisy")};
  ASSERT_TRUE(usual_speed(bench));
  EXPECT_EQ(usual_speed(bench)->read_bytes_per_s, 11);
  ASSERT_EQ(machine_speeds(bench.reps[0]).size(), 2);
  EXPECT_EQ(machine_speeds(bench.reps[0])[1].read_bytes_per_s, 11);
}

// As it may stand in a store from elsewhere.
TEST(MachineSpeedTest, RecordsOfOtherFormsAreNotMeasured) {
  BenchRepRecord rep;
  EXPECT_TRUE(machine_speeds(rep).empty());
  for (const Json& odd : {Json(7), Json("fast"), Json(Json::Array{1, 2})}) {
    rep.detail.set("machine_speed", odd);
    EXPECT_TRUE(machine_speeds(rep).empty());
    rep.detail.set("machine_speed", Json(Json::Object{{"before", odd}}));
    ASSERT_EQ(machine_speeds(rep).size(), 1);
    EXPECT_EQ(machine_speeds(rep)[0].read_bytes_per_s, 0);
    EXPECT_EQ(difference({1, 1, 1}, machine_speeds(rep)[0], 0.1), "");
  }
}

}  // namespace
}  // namespace assay::store
