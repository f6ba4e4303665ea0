#include "engine/generators/http/retry.h"

#include <gtest/gtest.h>

namespace assay::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<milliseconds> told(std::string_view ms, std::string_view after) {
  // 1994-11-06 08:49:37 UTC
  const std::chrono::system_clock::time_point now{seconds{784111777}};
  return told_wait(ms, after, now);
}

TEST(RetryAfterTest, SecondsMillisecondsAndDatesAreRead) {
  EXPECT_EQ(told("", "3"), milliseconds{3000});
  EXPECT_EQ(told("", " 0.5 "), milliseconds{500});
  EXPECT_EQ(told("250", "3"), milliseconds{250});
  EXPECT_EQ(told("", "0"), milliseconds{0});
  EXPECT_EQ(told("", "Sun, 06 Nov 1994 08:49:47 GMT"), milliseconds{10'000});
  EXPECT_EQ(told("", "Mon, 07 Nov 1994 08:49:37 GMT"), std::chrono::hours{24});
}

TEST(RetryAfterTest, NonsenseIsIgnored) {
  for (const char* text :
       {"", "soon", "-1", "nan", "inf", "1e300", "Sun, 06 Nov 1994 08:49:27 GMT",
        "Sun, 31 Feb 1999 08:49:37 GMT", "Sun, 06 Nov 1999 25:00:00 GMT",
        "Sun, 06 Nov 1999 -1:00:00 GMT", "Wed, 21 Oct 2830 07:28:00 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Xxx 1999 08:49:37 GMT", "3 s"}) {
    EXPECT_EQ(told("", text), std::nullopt) << text;
    EXPECT_EQ(told(text, "2"), milliseconds{2000}) << text;
  }
}

TEST(BackOffTest, WaitsGrowToTheirLimitAndAreSpread) {
  const HttpOptions options;
  SplitMix64 random(1);
  for (std::int64_t attempt = 1; attempt <= 70; ++attempt) {
    const auto most = attempt < 8 ? milliseconds{500LL << (attempt - 1)} : options.longest_wait;
    milliseconds low = most;
    milliseconds high{0};
    for (int i = 0; i < 200; ++i) {
      const auto wait = jittered_wait(options, attempt, random);
      low = std::min(low, wait);
      high = std::max(high, wait);
    }
    EXPECT_LE(high, most);
    EXPECT_GT(high, most / 2);
    EXPECT_LT(low, most / 4);
  }
}

TEST(RetryBudgetTest, RepeatsAreAFifthOfTheRequestsOfTheWindow) {
  HttpOptions options;
  options.budget_window = milliseconds{1000};
  options.budget_floor = 2;
  RetryBudget budget(options);
  for (int i = 0; i < 50; ++i) budget.on_request(i);
  int taken = 0;
  while (budget.take(60)) ++taken;
  EXPECT_EQ(taken, 12);
  EXPECT_FALSE(budget.take(500'000'000));
  taken = 0;
  while (budget.take(2'000'000'000)) ++taken;
  EXPECT_EQ(taken, 2);  // what was asked is forgotten by then
}

TEST(ConcurrencyTest, HalvesOnceForRequestsThatWereUnderWayTogetherAndGrowsBack) {
  Concurrency limit(32);
  limit.on_busy(100, 200);
  EXPECT_EQ(limit.limit(), 16);
  limit.on_busy(150, 210);  // was sent before the cut
  EXPECT_EQ(limit.limit(), 16);
  limit.on_busy(250, 300);
  EXPECT_EQ(limit.limit(), 8);
  for (int i = 0; i < 8; ++i) limit.on_success();
  EXPECT_EQ(limit.limit(), 8);  // a round of eight is not quite one more
  limit.on_success();
  EXPECT_EQ(limit.limit(), 9);
  for (int i = 0; i < 2000; ++i) limit.on_success();
  EXPECT_EQ(limit.limit(), 32);
  for (int i = 0; i < 20; ++i) limit.on_busy(1000 * i + 1000, 1000 * i + 1001);
  EXPECT_EQ(limit.limit(), 1);
  limit.restart();
  EXPECT_EQ(limit.limit(), 16);
}

}  // namespace
}  // namespace assay::engine
