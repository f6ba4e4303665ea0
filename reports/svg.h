// Charts as SVG text: they print, scale, follow the page's colours and need no script.
#pragma once

#include <string>
#include <vector>

#include "reports/html.h"

namespace assay::reports {

/// One row of a forest plot: an estimate with its interval, on a common axis.
struct ForestRow {
  std::string label;
  double value = 0;
  double low = 0;
  double high = 0;
  std::string note;  // shown at the right, as in "62.3 [59.1, 65.4]"
};

struct ForestOptions {
  std::string title;        // accessible name
  std::string description;  // what a reader who cannot see it is told
  std::string axis;         // label of the axis with its unit
  double low = 0;           // range of the axis
  double high = 1;
  bool zero_line = false;  // a line at 0, for differences
};

/// Figure with the plot and its numbers as text. Rows are drawn from top to bottom.
Html forest_plot(const std::vector<ForestRow>& rows, const ForestOptions& options);

/// About `count` round numbers that cover [low, high].
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace assay::reports
