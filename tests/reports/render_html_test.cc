#include "reports/render_html.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace assay::reports {
namespace {

Page two_runs() {
  Page page;
  page.title = "What FP8 costs";
  page.notes = {"These are small made-up suites."};
  page.runs = {{.id = "r1",
                .model = "tiny",
                .setting = "bf16",
                .status = "done",
                .tokens_per_second = 812.4,
                .provenance = {{"Model digest", "ab12"}}},
               {.id = "r2",
                .model = "tiny",
                .setting = "fp8",
                .status = "done",
                .tokens_per_second = 1200,
                .provenance = {{"Model digest", "ab12"}}}};
  page.metrics = {
      {.task = "gsm8k@assay",
       .metric = "accuracy",
       .headline = true,
       .values = {PageValue{.value = 0.62, .low = 0.59, .high = 0.65, .items = 1319},
                  PageValue{
                      .value = 0.60, .low = 0.57, .high = 0.63, .items = 1319, .unscored = 2}},
       .differences = {std::nullopt,
                       PageValue{.value = -0.02, .low = -0.031, .high = -0.009, .items = 1319}}},
      {.task = "mmlu@assay",
       .metric = "accuracy",
       .headline = true,
       .values = {PageValue{.value = 0.31, .low = 0.30, .high = 0.32, .items = 14042},
                  std::nullopt},
       .differences = {std::nullopt, std::nullopt}}};
  page.groups = {{.task = "mmlu@assay",
                  .metric = "accuracy",
                  .groups = {{.name = "anatomy",
                              .values = {PageValue{.value = 0.4, .low = 0.3, .high = 0.5}, {}}}}}};
  page.samples = {{.item = "gsm8k/test/0",
                   .task = "gsm8k@assay",
                   .run = 1,
                   .verdict = "incorrect",
                   .prompt = "How many?",
                   .response = "</pre><script>alert(1)</script>",
                   .answer = "7",
                   .target = "8",
                   .reason = "7 is not 8"}};
  page.samples_left_out = 12;
  return page;
}

TEST(RenderHtml, ShowsEveryRunTaskAndDifference) {
  const std::string html = render_html(two_runs());
  for (const char* part :
       {"What FP8 costs", "small made-up", "62.0", "59.0 \u2013 65.0", "2 not scored", "not run",
        "\u22122.0 points", "worse", "812.4", "anatomy", "7 is not 8", "12 further", "ab12"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
}

TEST(RenderHtml, TheSamePageGivesTheSameBytes) {
  EXPECT_EQ(render_html(two_runs()), render_html(two_runs()));
}

TEST(RenderHtml, HostileTextStaysTextAndNothingIsLoaded) {
  Page page = two_runs();
  const std::string hostile = "\"><img src=x onerror=alert(1)>";
  page.title = page.runs[0].model = page.runs[0].setting = page.metrics[0].task = hostile;
  page.groups[0].groups[0].name = page.samples[0].item = page.samples[0].prompt = hostile;
  page.runs[1].provenance = {{hostile, hostile}};
  const std::string html = render_html(page);
  for (const char* forbidden : {"<img", "<script>alert", "src=", "href=", "url(", "@import"}) {
    const std::size_t at = html.find(forbidden);
    // The text "src=x" of the hostile string itself is shown, escaped; nothing else may hold it.
    if (std::string(forbidden) == "src=") continue;
    EXPECT_EQ(at, std::string::npos) << forbidden;
  }
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
}

TEST(RenderHtml, AnEmptyPageStillStands) {
  EXPECT_NE(render_html({.title = "nothing"}).find("</html>"), std::string::npos);
}

// For people: ASSAY_TEST_PAGE=FILE writes the page of these tests.
TEST(RenderHtml, CanBeWrittenToAFile) {
  const char* file = std::getenv("ASSAY_TEST_PAGE");
  if (file == nullptr) GTEST_SKIP() << "ASSAY_TEST_PAGE is not set";
  write_file_atomic(file, render_html(two_runs()));
}

}  // namespace
}  // namespace assay::reports
