// Charts as SVG text: they print, scale, follow the page's colours and need no script. Every
// figure names itself (title) and says what it shows (desc); its numbers stand in a table beside
// it, which the caller makes. `css` fields are class names of this program's own.
#pragma once

#include <string>
#include <vector>

#include "reports/html.h"

namespace assay::reports {

struct ChartText {
  std::string title;        // accessible name
  std::string description;  // what a reader who cannot see it is told
  std::string x_axis;       // labels with their units
  std::string y_axis;
};

/// One row of a forest plot: an estimate with its interval, on a common axis.
struct ForestRow {
  std::string label;
  double value = 0;
  double low = 0;
  double high = 0;
  std::string note;  // at the right, as in "-1.2 [-2.0, -0.4]"
  std::string tip;   // the whole story of this row
  std::string css;   // "worse", "better" or ""
};
struct ForestRange {
  double low = 0;
  double high = 1;
  bool zero_line = false;  // a line at 0, for differences
};
Html forest_plot(const std::vector<ForestRow>& rows, const ForestRange& range,
                 const ChartText& words);

/// The interval of one number on the scale of its column, for a table's cell.
Html interval_mark(double value, double low, double high, const ForestRange& range,
                   double reference);

struct ScatterPoint {
  std::string label;
  double x = 0;
  double y = 0;
  double y_low = 0;
  double y_high = 0;
  std::string tip;
  std::string css;
};
/// Both axes: more is better. The points that no other beats in both are joined.
Html scatter_plot(const std::vector<ScatterPoint>& points, const ChartText& words);
/// Indices of the points that no other beats in both, by rising x.
std::vector<std::size_t> pareto_front(const std::vector<ScatterPoint>& points);

/// A distribution: line from 5 to 95 %, box from 25 to 75 %, dot at the middle.
struct StripRow {
  std::string label;
  double p5 = 0;
  double p25 = 0;
  double p50 = 0;
  double p75 = 0;
  double p95 = 0;
  std::string note;
  std::string css;
};
/// Logarithmic axis; values are positive.
Html strip_plot(const std::vector<StripRow>& rows, const ChartText& words);

struct TrendMark {
  std::string label;  // below the axis
  double value = 0;
  double low = 0;
  double high = 0;
  std::string tip;
};
Html trend_plot(const std::vector<TrendMark>& points, const ChartText& words);

/// About `count` round numbers that cover [low, high].
std::vector<double> axis_ticks(double low, double high, int count);
/// Powers of ten with 2 and 5 between; REQUIRES: 0 < low < high.
std::vector<double> log_ticks(double low, double high);

}  // namespace assay::reports
