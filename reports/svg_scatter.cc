// Accuracy against speed: points with error bars, the front, labels that do not overlap.
#include <algorithm>
#include <array>
#include <cmath>

#include "reports/svg.h"
#include "reports/svg_draw.h"

namespace assay::reports {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 380;
constexpr double kLeft = 56;
constexpr double kRight = 24;
constexpr double kTop = 14;
constexpr double kBottom = 336;
constexpr double kLetter = 6.4;  // width of a letter of a label, about

struct Box {
  double x1, y1, x2, y2;
  [[nodiscard]] bool meets(const Box& other) const {
    return x1 < other.x2 && other.x1 < x2 && y1 < other.y2 && other.y1 < y2;
  }
};

struct Scale {
  double x_low, x_high, y_low, y_high;
  [[nodiscard]] double x(double value) const {
    return kLeft + (value - x_low) / (x_high - x_low) * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double y(double value) const {
    return kBottom - (value - y_low) / (y_high - y_low) * (kBottom - kTop);
  }
};

Scale scale_of(const std::vector<ScatterPoint>& points) {
  Scale s{1e300, -1e300, 1e300, -1e300};
  for (const ScatterPoint& p : points) {
    s.x_low = std::min(s.x_low, p.x);
    s.x_high = std::max(s.x_high, p.x);
    s.y_low = std::min(s.y_low, p.y_low);
    s.y_high = std::max(s.y_high, p.y_high);
  }
  const double x_margin = std::max((s.x_high - s.x_low) * 0.12, s.x_high * 0.02 + 1e-9);
  const double y_margin = std::max((s.y_high - s.y_low) * 0.08, 0.2);
  return {std::max(0.0, s.x_low - x_margin), s.x_high + x_margin, s.y_low - y_margin,
          s.y_high + y_margin};
}

Html grid(const Scale& s, const ChartText& words) {
  Html out;
  const std::vector<double> xs = axis_ticks(s.x_low, s.x_high, 6);
  for (const double tick : xs) {
    out += svg_line("grid", s.x(tick), kTop, s.x(tick), kBottom);
    out += svg_text("tick", s.x(tick), kBottom + 17, "middle",
                    tick_text(tick, xs.size() > 1 ? xs[1] - xs[0] : 1));
  }
  const std::vector<double> ys = axis_ticks(s.y_low, s.y_high, 5);
  for (const double tick : ys) {
    out += svg_line("grid", kLeft, s.y(tick), kWidth - kRight, s.y(tick));
    out += svg_text("tick", kLeft - 8, s.y(tick) + 4, "end",
                    tick_text(tick, ys.size() > 1 ? ys[1] - ys[0] : 1));
  }
  out += svg_text("axis-name", kWidth / 2, kBottom + 36, "middle", words.x_axis);
  return out + svg_text("axis-name", 4, kTop - 3, "start", words.y_axis);
}

/// The first of a few places beside the point that meets nothing placed before; else the last.
std::pair<Box, const char*> place_label(double x, double y, double width,
                                        const std::vector<Box>& taken) {
  struct Place {
    double dx, dy;
    const char* anchor;
  };
  constexpr std::array<Place, 8> kPlaces = {{{9, 4, "start"},
                                             {-9, 4, "end"},
                                             {9, -9, "start"},
                                             {9, 17, "start"},
                                             {-9, -9, "end"},
                                             {-9, 17, "end"},
                                             {9, 30, "start"},
                                             {9, -22, "start"}}};
  std::pair<Box, const char*> out;
  for (const Place& place : kPlaces) {
    const double left = place.anchor[0] == 's' ? x + place.dx : x + place.dx - width;
    const Box box{left, y + place.dy - 11, left + width, y + place.dy + 2};
    out = {box, place.anchor};
    const bool inside = box.x1 > kLeft && box.x2 < kWidth && box.y1 > kTop && box.y2 < kBottom;
    const bool free = std::none_of(taken.begin(), taken.end(),
                                   [&](const Box& other) { return box.meets(other); });
    if (inside && free) break;
  }
  return out;
}

}  // namespace

std::vector<std::size_t> pareto_front(const std::vector<ScatterPoint>& points) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool beaten = std::any_of(points.begin(), points.end(), [&](const ScatterPoint& other) {
      return other.x >= points[i].x && other.y >= points[i].y &&
             (other.x > points[i].x || other.y > points[i].y);
    });
    if (!beaten) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(points[a].x, a) < std::pair(points[b].x, b);
  });
  return order;
}

Html scatter_plot(const std::vector<ScatterPoint>& points, const ChartText& words) {
  const Scale s = scale_of(points);
  Html out = grid(s, words);
  const std::vector<std::size_t> front = pareto_front(points);
  for (std::size_t i = 1; i < front.size(); ++i) {
    const ScatterPoint& a = points[front[i - 1]];
    const ScatterPoint& b = points[front[i]];
    out += svg_line("front", s.x(a.x), s.y(a.y), s.x(b.x), s.y(b.y));
  }
  std::vector<Box> taken;
  for (const ScatterPoint& p : points) {
    taken.push_back({s.x(p.x) - 6, s.y(p.y) - 6, s.x(p.x) + 6, s.y(p.y) + 6});
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const ScatterPoint& p = points[i];
    const bool on_front = std::find(front.begin(), front.end(), i) != front.end();
    const std::string label = fitted(p.label, 34);
    const auto [box, anchor] =
        place_label(s.x(p.x), s.y(p.y), kLetter * static_cast<double>(label.size()), taken);
    taken.push_back(box);
    const Html marks =
        svg_line("whisker", s.x(p.x), s.y(p.y_low), s.x(p.x), s.y(p.y_high)) +
        svg_circle("mark", s.x(p.x), s.y(p.y), on_front ? 6 : 4.5) +
        svg_text("label", anchor[0] == 's' ? box.x1 : box.x2, box.y2 - 2, anchor, label);
    out += svg_group("point " + p.css + (on_front ? " on-front" : " beaten"), p.tip, marks);
  }
  return svg_figure(kWidth, kHeight, words.title, words.description, out);
}

}  // namespace assay::reports
