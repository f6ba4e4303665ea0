#include "reports/svg.h"

#include <gtest/gtest.h>

namespace assay::reports {
namespace {

TEST(Svg, TicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(axis_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(axis_ticks(-3, 3, 6).size(), 7U);
  EXPECT_EQ(axis_ticks(2, 2, 6), std::vector<double>{2});
}

TEST(Svg, LogTicksStayInTheRange) {
  EXPECT_EQ(log_ticks(3, 60), (std::vector<double>{5, 10, 20, 50}));
}

TEST(Svg, ForestPlotNamesEveryRowAndEscapesLabels) {
  const std::string plot =
      forest_plot({{.label = "<b>", .value = 0.5, .low = 0.4, .high = 0.6, .note = "50 [40, 60]"}},
                  {}, {.title = "t", .description = "d", .x_axis = "accuracy"})
          .str();
  EXPECT_NE(plot.find("&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(plot.find("<b>"), std::string::npos);
  EXPECT_NE(plot.find("50 [40, 60]"), std::string::npos);
  EXPECT_NE(plot.find("role=\"img\""), std::string::npos);
}

TEST(Svg, ValuesOutsideTheAxisStayInsideThePicture) {
  const std::string plot =
      forest_plot({{.label = "a", .value = 5, .low = -5, .high = 9}}, {}, {.title = "t"}).str();
  EXPECT_EQ(plot.find("x1=\"-"), std::string::npos);
}

TEST(Svg, TheFrontIsWhatNoOtherBeatsInBoth) {
  const std::vector<ScatterPoint> points = {{.label = "slow, good", .x = 1, .y = 9},
                                            {.label = "beaten", .x = 1, .y = 8},
                                            {.label = "fast, bad", .x = 5, .y = 2},
                                            {.label = "middle", .x = 3, .y = 5},
                                            {.label = "beaten by middle", .x = 3, .y = 4}};
  EXPECT_EQ(pareto_front(points), (std::vector<std::size_t>{0, 3, 2}));
}

TEST(Svg, EqualPointsAreBothOnTheFront) {
  EXPECT_EQ(pareto_front({{.x = 1, .y = 1}, {.x = 1, .y = 1}}), (std::vector<std::size_t>{0, 1}));
}

TEST(Svg, EveryPointHasItsLabelAndItsStory) {
  const std::string plot =
      scatter_plot({{.label = "a", .x = 1, .y = 1, .y_low = 0, .y_high = 2, .tip = "tip of a"},
                    {.label = "b", .x = 1, .y = 1, .y_low = 0, .y_high = 2, .tip = "tip of b"}},
                   {.title = "t"})
          .str();
  for (const char* part : {">a</text>", ">b</text>", "tip of a", "tip of b"}) {
    EXPECT_NE(plot.find(part), std::string::npos) << part;
  }
}

TEST(Svg, StripsOfOneValueStand) {
  const std::string plot =
      strip_plot({{.label = "a", .p5 = 2, .p25 = 2, .p50 = 2, .p75 = 2, .p95 = 2}}, {.title = "t"})
          .str();
  EXPECT_EQ(plot.find("nan"), std::string::npos);
  EXPECT_NE(plot.find("class=\"box\""), std::string::npos);
}

}  // namespace
}  // namespace assay::reports
