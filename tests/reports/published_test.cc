#include "reports/published.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/shared_data.h"

namespace assay::reports {
namespace {

using ::assay::test::error_message;
using ::testing::HasSubstr;

TEST(Published, TheBuiltInFileIsSoundAndNamesItsSources) {
  const std::vector<PublishedScore> scores = built_in_published();
  ASSERT_FALSE(scores.empty());
  for (const PublishedScore& score : scores) {
    EXPECT_FALSE(score.source.empty()) << score.task;
    EXPECT_FALSE(score.protocol.empty()) << score.task;
  }
}

TEST(Published, AValueInPercentIsRefused) {
  EXPECT_THAT(error_message([] {
                parse_published(R"({"scores": [{"model": "m", "task": "t", "metric": "a",
                  "value": 86, "protocol": "p", "source": "s"}]})",
                                "file.jsonc");
              }),
              HasSubstr("a share between 0 and 1"));
}

TEST(Published, AMissingSourceIsRefused) {
  EXPECT_THAT(error_message([] {
                parse_published(R"({"scores": [{"model": "m", "task": "t", "metric": "a",
                  "value": 0.8, "protocol": "p"}]})",
                                "file.jsonc");
              }),
              HasSubstr("source"));
}

}  // namespace
}  // namespace assay::reports
