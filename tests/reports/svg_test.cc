#include "reports/svg.h"

#include <gtest/gtest.h>

namespace assay::reports {
namespace {

TEST(Svg, TicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(axis_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(axis_ticks(-3, 3, 6).size(), 7U);
  EXPECT_EQ(axis_ticks(2, 2, 6), std::vector<double>{2});
}

TEST(Svg, ForestPlotNamesEveryRowAndEscapesLabels) {
  const std::string plot =
      forest_plot({{.label = "<b>", .value = 0.5, .low = 0.4, .high = 0.6, .note = "50 [40, 60]"}},
                  {.title = "t", .description = "d", .axis = "accuracy"})
          .str();
  EXPECT_NE(plot.find("&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(plot.find("<b>"), std::string::npos);
  EXPECT_NE(plot.find("50 [40, 60]"), std::string::npos);
  EXPECT_NE(plot.find("role=\"img\""), std::string::npos);
}

TEST(Svg, ValuesOutsideTheAxisStayInsideThePicture) {
  const std::string plot =
      forest_plot({{.label = "a", .value = 5, .low = -5, .high = 9}}, {.title = "t"}).str();
  EXPECT_EQ(plot.find("x1=\"-"), std::string::npos);
}

}  // namespace
}  // namespace assay::reports
