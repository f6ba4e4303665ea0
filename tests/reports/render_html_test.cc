#include "reports/render_html.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "reports/html.h"

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
       .differences = {std::nullopt, PageDifference{.value = -0.02,
                                                    .low = -0.031,
                                                    .high = -0.009,
                                                    .p = 0.0004,
                                                    .p_adjusted = 0.0004,
                                                    .detectable = 0.011,
                                                    .items = 1319,
                                                    .responses = 1319,
                                                    .identical = 1000,
                                                    .right_to_wrong = 40,
                                                    .wrong_to_right = 14}},
       .incomparable = {"", ""}},
      {.task = "mmlu@assay",
       .metric = "accuracy",
       .headline = true,
       .values = {PageValue{.value = 0.31, .low = 0.30, .high = 0.32, .items = 14042},
                  std::nullopt},
       .differences = {std::nullopt, std::nullopt},
       .incomparable = {"", ""}}};
  page.common_tasks = {"gsm8k@assay"};
  page.groups = {{.task = "mmlu@assay",
                  .metric = "accuracy",
                  .groups = {{.name = "anatomy",
                              .values = {PageValue{.value = 0.4, .low = 0.3, .high = 0.5}, {}},
                              .differences = {std::nullopt, std::nullopt}}}}};
  page.items = {{.task = "gsm8k@assay",
                 .key = "gsm8k/test/0",
                 .target = "8",
                 .prompt = "How many?",
                 .flip = true,
                 .responses = {{.run = 1,
                                .verdict = "incorrect",
                                .text = "</pre><script>alert(1)</script>",
                                .answer = "7",
                                .reason = "7 is not 8"}}}};
  page.responses_stored = 2638;
  return page;
}

TEST(RenderHtml, ShowsEveryRunTaskAndDifference) {
  const std::string html = render_html(two_runs());
  for (const char* part : {"What FP8 costs", "small made-up", "62.0", "59.0\u201365.0",
                           "2 not scored", "not run", "\u22122.0 points", "Worse", "812", "anatomy",
                           "7 is not 8", "of 2,638 in the store", "ab12"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
}

TEST(RenderHtml, TheSamePageGivesTheSameBytes) {
  EXPECT_EQ(render_html(two_runs()), render_html(two_runs()));
}

NumericsRow numerics_of(const std::string& run, const std::string& setting, double kl) {
  NumericsRow row{run, "tiny", setting, {}};
  row.numerics.reference = "bf16";
  row.numerics.text_name = "story.txt";
  row.numerics.tokens = 1020;
  row.numerics.kl_mean = kl;
  row.numerics.kl_p50 = kl / 2;
  row.numerics.kl_p99 = kl * 8;
  row.numerics.kl_max = kl * 20;
  row.numerics.top1 = 0.95;
  row.numerics.perplexity = 6.1;
  row.numerics.perplexity_reference = 6;
  row.numerics.layers = {{0.01, 40}, {0.02, 34}};
  return row;
}

TEST(RenderHtml, NumericDistancesHaveASectionWithPicturesAndOnlyWhereTheyAreStored) {
  Page page = two_runs();
  EXPECT_EQ(render_html(page).find("id=\"numerics\""), std::string::npos);
  page.numerics = {numerics_of("r1", "bf16", 0), numerics_of("r2", "<b>fp8", 0.0123)};
  const std::string html = render_html(page);
  EXPECT_NE(html.find("id=\"numerics\""), std::string::npos);
  EXPECT_NE(html.find("0.0123"), std::string::npos);
  EXPECT_NE(html.find("Error after each layer of &lt;b&gt;fp8"), std::string::npos);
  EXPECT_EQ(html.find("<b>fp8"), std::string::npos);
  EXPECT_NE(numerics_text(page.numerics).find("+1.67%"), std::string::npos);
  EXPECT_NE(numerics_markdown(page.numerics).find("0.0123"), std::string::npos);
  EXPECT_EQ(numerics_json(page.numerics).as_array().size(), 2U);
}

TEST(RenderHtml, HostileTextStaysTextAndNothingIsLoaded) {
  Page page = two_runs();
  const std::string hostile = "\"><img src=x onerror=alert(1)>";
  page.title = page.runs[0].model = page.runs[0].setting = page.metrics[0].task = hostile;
  page.groups[0].groups[0].name = page.items[0].key = page.items[0].prompt = hostile;
  page.metrics[1].incomparable[1] = page.notes[0] = hostile;
  page.runs[1].provenance = {{hostile, hostile}};
  const std::string html = render_html(page);
  for (const char* forbidden :
       {"<img", "<script>alert", "src=", "href=\"http", "url(", "@import"}) {
    const std::size_t at = html.find(forbidden);
    // The text "src=x" of the hostile string itself is shown, escaped; nothing else may hold it.
    if (std::string(forbidden) == "src=") continue;
    EXPECT_EQ(at, std::string::npos) << forbidden;
  }
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
}

TEST(RenderHtml, ThePolicyNamesTheDigestsOfItsOwnStyleAndScript) {
  const std::string html = render_html(two_runs());
  EXPECT_NE(html.find("script-src '" + csp_digest(kReportJs) + "'"), std::string::npos);
  EXPECT_NE(html.find("style-src '" + csp_digest(kReportCss) + "'"), std::string::npos);
  EXPECT_EQ(html.find(" style=\""), std::string::npos);
}

// What the policy forbids would fail only in a browser; here it fails in every build.
TEST(RenderHtml, TheScriptUsesNoSinkOfMarkup) {
  for (const char* sink :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc",
        "new Function", "fetch(", "XMLHttpRequest", "import("}) {
    EXPECT_EQ(kReportJs.find(sink), std::string_view::npos) << sink;
  }
}

TEST(RenderHtml, ItemsThatDoNotFitAreLeftOutFromTheEnd) {
  Page page = two_runs();
  for (int i = 1; i < 50; ++i) {
    page.items.push_back(page.items[0]);
    page.items.back().key = "item " + std::to_string(i);
    page.items.back().prompt = std::string(20'000, 'p') + std::to_string(i);
  }
  constexpr std::size_t kMaxBytes = 500'000;
  const std::string html = render_html(page, kMaxBytes);
  EXPECT_LE(html.size(), kMaxBytes);
  EXPECT_GT(html.size(), kMaxBytes * 9 / 10);
  EXPECT_NE(html.find("gsm8k/test/0"), std::string::npos);
  EXPECT_EQ(html.find("item 49"), std::string::npos);
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
