#include "reports/svg_draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace assay::reports {

std::string pixel(double value) {
  std::string out = fmt::format("{:.1f}", value);
  if (out.size() > 2 && out.substr(out.size() - 2) == ".0") out.resize(out.size() - 2);
  return out == "-0" ? "0" : out;
}

Html svg_line(const char* css_class, double x1, double y1, double x2, double y2) {
  return asset(fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
                           css_class, pixel(x1), pixel(y1), pixel(x2), pixel(y2)));
}

Html svg_circle(const std::string& css_class, double x, double y, double radius) {
  return asset(fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>", css_class,
                           pixel(x), pixel(y), pixel(radius)));
}

Html svg_rect(const std::string& css_class, double x, double y, double width, double height) {
  return asset(
      fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\"/>",
                  css_class, pixel(x), pixel(y), pixel(std::max(0.0, width)), pixel(height)));
}

Html svg_text(const char* css_class, double x, double y, const char* anchor,
              const std::string& content) {
  return asset(fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">", css_class,
                           pixel(x), pixel(y), anchor)) +
         text(content) + asset("</text>");
}

Html svg_group(const std::string& css_class, const std::string& tip, const Html& content) {
  Html out = asset(fmt::format("<g class=\"{}\">", css_class));
  if (!tip.empty()) out += asset("<title>") + text(tip) + asset("</title>");
  return out + content + asset("</g>");
}

Html svg_figure(double width, double height, const std::string& title,
                const std::string& description, const Html& content) {
  // A picture that a narrow screen scrolls must be reachable by the keyboard.
  const Html frame =
      width > 400 ? asset("<div class=\"chart\" tabindex=\"0\" role=\"group\" aria-label=\"") +
                        text(title) + asset("\">")
                  : asset("<div class=\"chart\">");
  return frame +
         asset(fmt::format("<svg role=\"img\" viewBox=\"0 0 {0} {1}\" "
                           "width=\"{0}\" height=\"{1}\"><title>",
                           pixel(width), pixel(height))) +
         text(title) + asset("</title><desc>") + text(description) + asset("</desc>") + content +
         asset("</svg></div>");
}

std::string fitted(const std::string& full, std::size_t limit) {
  const std::u32string points = to_code_points(full);
  if (points.size() <= limit) return full;
  return to_utf8(points.substr(0, limit - 1)) + "\u2026";
}

std::string tick_text(double value, double step) {
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  if (value == 0) return "0";
  return (value < 0 ? "\u2212" : "") + fmt::format("{:.{}f}", std::abs(value), decimals);
}

}  // namespace assay::reports
