#include "suites/progress.h"

#include <gtest/gtest.h>

namespace assay::suites {
namespace {

TEST(Progress, LineShowsCountShareRateAndErrors) {
  Progress progress(ProgressStyle::kNone, "gsm8k fp8", 10, 4);
  progress.sample_done(1);
  progress.sample_done(0);
  progress.sample_done(-1);
  const std::string line =
      progress.line(std::chrono::steady_clock::now() + std::chrono::seconds(3));
  EXPECT_EQ(line, "gsm8k fp8  7/10  50.0%  1.0/s  eta 0:03  1 not scored");
}

TEST(Progress, BarIsFullWhenNothingIsLeft) {
  Progress progress(ProgressStyle::kNone, "t", 0, 0);
  EXPECT_NE(progress.line(std::chrono::steady_clock::now()).find("0/0"), std::string::npos);
}

}  // namespace
}  // namespace assay::suites
