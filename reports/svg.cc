#include "reports/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay::reports {
namespace {

constexpr double kLeft = 190;   // pixels for labels
constexpr double kPlot = 360;   // pixels for the axis
constexpr double kRight = 170;  // pixels for notes
constexpr double kRowHeight = 24;
constexpr double kTop = 8;
constexpr double kAxisHeight = 36;

/// Coordinates are rounded, so that the page is the same on every machine.
std::string pixel(double value) { return fmt::format("{:.1f}", value); }

Html line(const char* css_class, double x1, double y1, double x2, double y2) {
  return asset(fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
                           css_class, pixel(x1), pixel(y1), pixel(x2), pixel(y2)));
}

Html label(double x, double y, const char* anchor, const Html& content) {
  return asset(fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">", pixel(x), pixel(y),
                           anchor)) +
         content + asset("</text>");
}

std::string tick_text(double value, double step) {
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", value == 0 ? 0.0 : value, decimals);
}

/// Shortens a label to what fits; the full text stays in the element's title.
Html short_label(const std::string& full, double y) {
  constexpr std::size_t kMaxBytes = 28;
  std::string shown = full;
  if (shown.size() > kMaxBytes) shown = shown.substr(0, kMaxBytes - 3) + "...";
  return asset("<g>") + asset("<title>") + text(full) + asset("</title>") +
         label(kLeft - 8, y + 4, "end", text(shown)) + asset("</g>");
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

Html forest_plot(const std::vector<ForestRow>& rows, const ForestOptions& options) {
  const double range = options.high > options.low ? options.high - options.low : 1;
  const auto x_of = [&](double value) {
    const double share = std::clamp((value - options.low) / range, 0.0, 1.0);
    return kLeft + share * kPlot;
  };
  const double bottom = kTop + kRowHeight * static_cast<double>(rows.size());
  const double width = kLeft + kPlot + kRight;
  Html out =
      asset(fmt::format("<svg role=\"img\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
                        "preserveAspectRatio=\"xMinYMin meet\">",
                        pixel(width), pixel(bottom + kAxisHeight)));
  out += asset("<title>") + text(options.title) + asset("</title><desc>") +
         text(options.description) + asset("</desc>");
  const std::vector<double> ticks = axis_ticks(options.low, options.high, 6);
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  for (const double tick : ticks) {
    out += line("grid", x_of(tick), kTop, x_of(tick), bottom);
    out += label(x_of(tick), bottom + 16, "middle", text(tick_text(tick, step)));
  }
  if (options.zero_line) out += line("axis", x_of(0), kTop, x_of(0), bottom);
  out += line("axis", kLeft, bottom, kLeft + kPlot, bottom);
  out += label(kLeft + kPlot / 2, bottom + 32, "middle", text(options.axis));
  double y = kTop + kRowHeight / 2;
  for (const ForestRow& row : rows) {
    out += short_label(row.label, y);
    out += line("whisker", x_of(row.low), y, x_of(row.high), y);
    out += asset(fmt::format("<circle class=\"mark\" cx=\"{}\" cy=\"{}\" r=\"4.5\"/>",
                             pixel(x_of(row.value)), pixel(y)));
    out += label(kLeft + kPlot + 12, y + 4, "start", text(row.note));
    y += kRowHeight;
  }
  out += asset("</svg>");
  return asset("<figure><div class=\"scroll\">") + out + asset("</div></figure>");
}

}  // namespace assay::reports
