// Pieces that the charts are made of. Private to reports/.
#pragma once

#include <string>

#include "reports/html.h"

namespace assay::reports {

/// Coordinates are rounded, so that the page is the same on every machine.
std::string pixel(double value);
Html svg_line(const char* css_class, double x1, double y1, double x2, double y2);
Html svg_circle(const std::string& css_class, double x, double y, double radius);
Html svg_rect(const std::string& css_class, double x, double y, double width, double height);
/// `anchor`: "start", "middle" or "end".
Html svg_text(const char* css_class, double x, double y, const char* anchor,
              const std::string& content);
/// <g> with a title, which browsers show as a tooltip and the page's script too.
Html svg_group(const std::string& css_class, const std::string& tip, const Html& content);
/// The picture in a frame that scrolls where the screen is narrower.
Html svg_figure(double width, double height, const std::string& title,
                const std::string& description, const Html& content);
/// Shortened to about `limit` characters.
std::string fitted(const std::string& full, std::size_t limit);
std::string tick_text(double value, double step);

}  // namespace assay::reports
