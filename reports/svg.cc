#include "reports/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/svg_draw.h"

namespace assay::reports {
namespace {

// Forest and strip plots are as wide as a phone, so that they never shrink.
constexpr double kLabel = 116;  // pixels for labels
constexpr double kPlot = 122;   // pixels for the axis
constexpr double kNote = 118;   // pixels for notes
constexpr double kRowHeight = 22;
constexpr double kTop = 6;
constexpr double kAxisHeight = 36;
constexpr std::size_t kLabelLetters = 19;

struct Axis {
  double low;
  double high;
  double from;  // pixels
  double to;
  [[nodiscard]] double at(double value) const {
    const double range = high > low ? high - low : 1;
    return from + std::clamp((value - low) / range, 0.0, 1.0) * (to - from);
  }
};

Html vertical_grid(const Axis& axis, const std::vector<double>& ticks, double top, double bottom) {
  Html out;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  for (const double tick : ticks) {
    out += svg_line("grid", axis.at(tick), top, axis.at(tick), bottom);
    out += svg_text("tick", axis.at(tick), bottom + 15, "middle", tick_text(tick, step));
  }
  return out;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  if (!(high > low) || count < 1) return {low};
  const double raw = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = power * 10;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power * (1 + 1e-9)) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) {
    ticks.push_back(k * step);
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  std::vector<double> ticks;
  for (double power = std::floor(std::log10(low)); power <= std::ceil(std::log10(high)); ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, power);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

Html forest_plot(const std::vector<ForestRow>& rows, const ForestRange& range,
                 const ChartText& words) {
  const Axis axis{range.low, range.high, kLabel, kLabel + kPlot};
  const double bottom = kTop + kRowHeight * static_cast<double>(rows.size());
  Html out = vertical_grid(axis, axis_ticks(range.low, range.high, 4), kTop, bottom);
  if (range.zero_line) out += svg_line("zero", axis.at(0), kTop, axis.at(0), bottom);
  out += svg_text("axis-name", kLabel + kPlot / 2, bottom + 31, "middle", words.x_axis);
  double y = kTop + kRowHeight / 2;
  for (const ForestRow& row : rows) {
    const Html marks =
        svg_rect("hit", 0, y - kRowHeight / 2, kLabel + kPlot + kNote, kRowHeight) +
        svg_text("label", kLabel - 10, y + 4, "end", fitted(row.label, kLabelLetters)) +
        svg_line("whisker", axis.at(row.low), y, axis.at(row.high), y) +
        svg_circle(row.css.empty() ? "mark hollow" : "mark", axis.at(row.value), y, 4) +
        svg_text("note", kLabel + kPlot + 10, y + 4, "start", row.note);
    out += svg_group("row " + row.css, row.tip.empty() ? row.label : row.tip, marks);
    y += kRowHeight;
  }
  return svg_figure(kLabel + kPlot + kNote, bottom + kAxisHeight, words.title, words.description,
                    out);
}

Html interval_mark(double value, double low, double high, const ForestRange& range,
                   double reference) {
  constexpr double kWidth = 76;
  const Axis axis{range.low, range.high, 3, kWidth - 3};
  return asset(fmt::format("<svg class=\"mini\" aria-hidden=\"true\" width=\"{0}\" height=\"10\" "
                           "viewBox=\"0 0 {0} 10\">",
                           pixel(kWidth))) +
         svg_line("grid", axis.at(reference), 0, axis.at(reference), 10) +
         svg_line("whisker", axis.at(low), 5, axis.at(high), 5) +
         svg_circle("mark", axis.at(value), 5, 3) + asset("</svg>");
}

Html strip_plot(const std::vector<StripRow>& rows, const ChartText& words) {
  double low = rows.empty() ? 1 : rows[0].p5;
  double high = low;
  for (const StripRow& row : rows) {
    low = std::min(low, row.p5);
    high = std::max(high, row.p95);
  }
  low = std::max(low, 1e-9) / 1.3;
  high = std::max(high, low) * 1.3;
  const Axis axis{std::log10(low), std::log10(high), kLabel, kLabel + kPlot};
  const auto at = [&](double value) { return axis.at(std::log10(std::max(value, low))); };
  const double bottom = kTop + kRowHeight * static_cast<double>(rows.size());
  Html out;
  double last = -100;
  for (const double tick : log_ticks(low, high)) {
    out += svg_line("grid", at(tick), kTop, at(tick), bottom);
    if (at(tick) - last < 26) continue;
    last = at(tick);
    out += svg_text("tick", at(tick), bottom + 15, "middle", fmt::format("{:g}", tick));
  }
  out += svg_text("axis-name", kLabel + kPlot / 2, bottom + 31, "middle", words.x_axis);
  double y = kTop + kRowHeight / 2;
  for (const StripRow& row : rows) {
    const Html marks =
        svg_rect("hit", 0, y - kRowHeight / 2, kLabel + kPlot + kNote, kRowHeight) +
        svg_text("label", kLabel - 10, y + 4, "end", fitted(row.label, kLabelLetters)) +
        svg_line("whisker", at(row.p5), y, at(row.p95), y) +
        svg_rect("box", at(row.p25), y - 5, std::max(2.0, at(row.p75) - at(row.p25)), 10) +
        svg_circle("mark", at(row.p50), y, 3.5) +
        svg_text("note", kLabel + kPlot + 10, y + 4, "start", row.note);
    out += svg_group("row " + row.css, row.label + ": " + row.note, marks);
    y += kRowHeight;
  }
  return svg_figure(kLabel + kPlot + kNote, bottom + kAxisHeight, words.title, words.description,
                    out);
}

Html trend_plot(const std::vector<TrendMark>& points, const ChartText& words) {
  constexpr double kLeft = 44;
  constexpr double kBottom = 150;
  constexpr double kWidth = 340;
  double low = 1e300;
  double high = -1e300;
  for (const TrendMark& point : points) {
    low = std::min(low, point.low);
    high = std::max(high, point.high);
  }
  const double margin = std::max(0.5, (high - low) * 0.1);
  const Axis y{low - margin, high + margin, kBottom, 10};
  const double step =
      (kWidth - kLeft - 30) / std::max<double>(1, static_cast<double>(points.size()) - 1);
  Html out;
  const std::vector<double> ticks = axis_ticks(y.low, y.high, 4);
  for (const double tick : ticks) {
    out += svg_line("grid", kLeft, y.at(tick), kWidth - 10, y.at(tick));
    out += svg_text("tick", kLeft - 6, y.at(tick) + 4, "end",
                    tick_text(tick, ticks.size() > 1 ? ticks[1] - ticks[0] : 1));
  }
  double x = kLeft + 12;
  const std::size_t every = points.size() / 4 + 1;
  for (std::size_t i = 0; i < points.size(); ++i, x += step) {
    const TrendMark& point = points[i];
    if (i > 0) {
      out += svg_line("front", x - step, y.at(points[i - 1].value), x, y.at(point.value));
    }
    out += svg_group("row", point.tip,
                     svg_line("whisker", x, y.at(point.low), x, y.at(point.high)) +
                         svg_circle("mark", x, y.at(point.value), 4));
    if (i % every == 0) out += svg_text("tick", x, kBottom + 16, "middle", fitted(point.label, 10));
  }
  out += svg_text("axis-name", kLeft + (kWidth - kLeft) / 2, kBottom + 32, "middle", words.x_axis);
  return svg_figure(kWidth, kBottom + 38, words.title, words.description, out);
}

}  // namespace assay::reports
