// Scoring a file of responses: joins, repeats, and one clear line for each kind of bad input.
#include "suites/score_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "suites/plan.h"
#include "tests/support/shared_data.h"

namespace assay::suites {
namespace {

class ScoreFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string data;
    for (int i = 1; i <= 3; ++i) {
      data += fmt::format(R"({{"question": "q{0}", "answer": "work\n#### {0}"}})", i) + "\n";
    }
    std::filesystem::create_directories(folder_.path() / "gsm8k");
    write_file_atomic(folder_.path() / "gsm8k/test.jsonl", data);
  }
  ScoredFile score(const std::string& responses, bool skip_bad = false) {
    write_file_atomic(folder_.path() / "r.jsonl", responses);
    return score_file({.task = "gsm8k",
                       .data = folder_.path(),
                       .responses = folder_.path() / "r.jsonl",
                       .custom_data = true,
                       .skip_bad = skip_bad});
  }
  std::string error(const std::string& responses) {
    return test::error_message([&] { (void)score(responses); });
  }
  test::TemporaryFolder folder_;
};

// A run says so too: in the definition of its task, which the report shows.
TEST_F(ScoreFile, RecordsLeftOutAreCounted) {
  const std::filesystem::path data = folder_.path() / "gsm8k/test.jsonl";
  write_file_atomic(data, read_file(data) + "{\"question\": \"q4\", \"answer\": \"no mark\"}\n{\n");
  EXPECT_NE(error(R"({"id": "gsm8k/test/1", "response": "2"})").find("test.jsonl:5"),
            std::string::npos);
  const ScoredFile file = score(R"({"id": "gsm8k/test/1", "response": "2"})", true);
  EXPECT_EQ(file.summary().at("bad").as_int(), 2);
  const SuiteTask task{
      .task = "gsm8k", .protocol = "assay-0shot", .groups = {}, .custom_data = true};
  const PlannedTask plan = plan_task(task, {.data = folder_.path(), .skip_bad = true});
  EXPECT_EQ(plan.samples.size(), 3U);
  EXPECT_EQ(plan.definition().at("records_left_out").as_int(), 2);
  EXPECT_EQ(plan.bad[0].place, data.string() + ":5");
}

TEST_F(ScoreFile, CountsRightAnswersAndSamplesWithoutResponse) {
  const ScoredFile file = score(R"({"id": "gsm8k/test/1", "response": "2"}
{"id": "gsm8k/test/0", "response": "9"})");
  EXPECT_DOUBLE_EQ(file.aggregate.find("accuracy")->value, 0.5);
  EXPECT_EQ(file.unanswered, 1);
  EXPECT_EQ(file.verdict(0).at("id").as_string(), "gsm8k/test/1");
  EXPECT_EQ(file.verdict(0).at("verdict").as_string(), "correct");
  EXPECT_EQ(file.summary().at("metrics").at("accuracy").at("count").as_int(), 1);
}

TEST_F(ScoreFile, SeveralLinesWithOneIdAreSeveralSamples) {
  std::string lines;
  for (const char* answer : {"1", "1", "7", "7"}) {
    lines += fmt::format(R"({{"id": "gsm8k/test/0", "response": "{}"}})", answer) + "\n";
  }
  const ScoredFile file = score(lines);
  EXPECT_EQ(file.aggregate.items, 1);
  EXPECT_EQ(file.aggregate.responses, 4);
  EXPECT_DOUBLE_EQ(file.aggregate.find("accuracy")->value, 0.5);
  EXPECT_NEAR(file.aggregate.find("pass@2")->value, 1 - 1.0 / 6, 1e-12);
  EXPECT_DOUBLE_EQ(file.aggregate.find("maj@4")->value, 1);  // first of two equal answers
}

TEST_F(ScoreFile, BadInputIsOneLineWithFileAndLine) {
  EXPECT_NE(error("\n{\"id\": 3, \"response\": \"\"}").find("r.jsonl:2: no text \"id\""),
            std::string::npos);
  EXPECT_NE(error("{\"id\": \"gsm8k/test/0\"}").find("r.jsonl:1: no text \"response\""),
            std::string::npos);
  EXPECT_NE(error("{\"id\": \"x\", \"response\": \"\"}").find("r.jsonl:1: unknown id \"x\""),
            std::string::npos);
  EXPECT_NE(error("{\"id\"").find("r.jsonl:1"), std::string::npos);
  EXPECT_NE(error("").find("no responses"), std::string::npos);
}

TEST_F(ScoreFile, SkipBadCountsWhatItLeavesOut) {
  const ScoredFile file = score(
      "{\n{\"id\": \"x\", \"response\": \"\"}\n{\"id\": \"gsm8k/test/0\", \"response\": \"1\"}",
      true);
  EXPECT_EQ(file.bad.size(), 2U);
  EXPECT_DOUBLE_EQ(file.aggregate.find("accuracy")->value, 1);
}

}  // namespace
}  // namespace assay::suites
