// Paired differences as forest plots, groups as heat maps, scores over time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/page_format.h"
#include "reports/page_html.h"
#include "reports/page_verdict.h"
#include "reports/svg.h"

namespace assay::reports {
namespace {

constexpr double kMaxRange = 30;  // points shown to each side of 0; wider intervals are cut

/// One range for all tasks, so that the pictures can be compared.
double common_range(const Page& page) {
  double out = 1;
  for (const PageMetric& metric : page.metrics) {
    for (const auto& d : metric.differences) {
      if (!metric.headline || !d) continue;
      out = std::max({out, std::abs(100 * d->low), std::abs(100 * d->high)});
    }
  }
  return std::min(kMaxRange, out * 1.05);
}

/// One difference, for each run, of a task's headline metric or of the mean of the tasks.
using Differences = std::vector<std::optional<PageDifference>>;

Html forest(const Page& page, const std::string& name, const std::string& measure,
            const Differences& differences, double range) {
  std::vector<ForestRow> rows;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    if (!differences[run]) continue;
    const PageDifference& d = *differences[run];
    const Change change = change_of(d);
    rows.push_back({.label = short_run_name(page, run),
                    .value = 100 * d.value,
                    .low = 100 * d.low,
                    .high = 100 * d.high,
                    .note = points(d.value) + " " + points_range(d.low, d.high),
                    .tip = fmt::format(
                        "{}: {} points {}, Holm p {} ({}), {} right to wrong, {} "
                        "wrong to right of {}",
                        short_run_name(page, run), points(d.value), points_range(d.low, d.high),
                        p_text(d.p_adjusted), change_words(change), count_text(d.right_to_wrong),
                        count_text(d.wrong_to_right), counted(d.responses, "response")),
                    .css = change == Change::kNone ? "" : change_class(change)});
  }
  if (rows.empty()) return {};
  const std::string title = name + ": " + measure;
  return element(
      "figure", "",
      element("figcaption", "",
              element("strong", "", name_of(name)) + element("span", "sub", name_of(measure))) +
          forest_plot(rows, {.low = -range, .high = range, .zero_line = true},
                      {.title = title,
                       .description = "Paired difference of each run to the reference "
                                      "with its 95 % interval",
                       .x_axis = "points against the reference"}));
}

Html row_head(const Page& page, const std::string& name, const std::string& measure,
              std::size_t run) {
  return asset("<th scope=\"row\">") + name_of(name) + asset("</th>") +
         element("td", "", name_of(measure)) +
         element("td", "", name_of(short_run_name(page, run)));
}

/// `corrected`: the Holm-adjusted p says something of this row.
Html difference_row(Html row, const PageDifference& d, bool corrected) {
  row += element("td", std::string("n ") + change_class(change_of(d)), text(points(d.value)));
  for (const std::string& cell :
       {points_range(d.low, d.high), p_text(d.p), corrected ? p_text(d.p_adjusted) : "\u2013",
        count_text(d.right_to_wrong), count_text(d.wrong_to_right),
        d.responses > 0
            ? percent(static_cast<double>(d.identical) / static_cast<double>(d.responses))
            : std::string("\u2013"),
        percent(d.detectable), count_text(d.items)}) {
    row += number_cell(cell);
  }
  return element("tr", "", row);
}

Html difference_table(const Page& page) {
  Html head =
      asset("<th scope=\"col\">Task</th><th scope=\"col\">Metric</th><th scope=\"col\">Run</th>");
  for (const char* name : {"Points", "95 % interval", "p", "Holm p", "Right to wrong",
                           "Wrong to right", "Identical %", "Detectable", "Items"}) {
    head += column(name);
  }
  Html rows;
  for (const PageMetric& metric : page.metrics) {
    for (std::size_t run = 0; run < page.runs.size(); ++run) {
      const Html start = row_head(page, metric.task, metric.metric, run);
      if (metric.differences[run]) {
        rows += difference_row(start, *metric.differences[run], metric.headline);
      } else if (!metric.incomparable[run].empty()) {
        rows += element("tr", "",
                        start + asset("<td class=\"muted\" colspan=\"9\">") +
                            text("not comparable: " + metric.incomparable[run]) + asset("</td>"));
      }
    }
  }
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    const auto& mean = page.runs[run].mean_change;
    if (mean) rows += difference_row(row_head(page, mean_name(page), "mean", run), *mean, true);
  }
  return data_table(
      "Every metric and run. Detectable: the smallest true change that this many "
      "items find with a power of 80 %",
      head, rows);
}

/// -4 ... 4: how far from the reference, in steps of 1, 3, 6 and 12 points.
int heat_step(double difference) {
  const double size = std::abs(100 * difference);
  const int step = size < 1 ? 0 : size < 3 ? 1 : size < 6 ? 2 : size < 12 ? 3 : 4;
  return difference < 0 ? -step : step;
}

Html heat_cell(const PageGroup& group, std::size_t run, bool is_reference) {
  if (!group.values[run]) return asset("<td class=\"n muted\">\u2013</td>");
  const PageValue& value = *group.values[run];
  std::string css = "n heat";
  std::string tip = fmt::format("{} %, 95 % {}, {}", percent(value.value),
                                percent_range(value.low, value.high), counted(value.items, "item"));
  if (!is_reference && group.differences[run]) {
    const PageValue& d = *group.differences[run];
    const int step = heat_step(d.value);
    css += fmt::format(" {}{}", step < 0 ? "down" : "up", std::abs(step));
    if (d.low <= 0 && d.high >= 0) css += " unsure";
    tip += fmt::format("; {} points {} against the reference", points(d.value),
                       points_range(d.low, d.high));
  }
  return asset("<td class=\"" + css + "\" data-tip=\"") + text(tip) + asset("\">") +
         text(percent(value.value)) + asset("</td>");
}

Html heat_map(const Page& page, const PageGroups& groups) {
  Html head = asset("<th scope=\"col\">Group</th>");
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    head += column(short_run_name(page, run));
  }
  head += column("Items");
  Html rows;
  for (const PageGroup& group : groups.groups) {
    Html row = asset("<th scope=\"row\">") + name_of(group.name) + asset("</th>");
    std::int64_t items = 0;
    for (std::size_t run = 0; run < page.runs.size(); ++run) {
      row += heat_cell(group, run, run == page.reference);
      if (group.values[run]) items = std::max(items, group.values[run]->items);
    }
    rows += element("tr", "", row + number_cell(count_text(items)));
  }
  const std::string caption = fmt::format("{}, percent, by group", groups.metric);
  // A task of many groups is folded; its summary says how many there are.
  const bool folded = groups.groups.size() > 12;
  return asset(folded ? "<details class=\"heat-map\"><summary>"
                      : "<details class=\"heat-map\" open><summary>") +
         element("strong", "", name_of(groups.task)) +
         text(fmt::format(" \u00B7 {}", counted(std::ssize(groups.groups), "group"))) +
         asset("</summary>") + table("heat-table", text(caption), head, rows) + asset("</details>");
}

Html trend_figure(const PageTrend& trend) {
  std::vector<TrendMark> points_shown;
  Html rows;
  for (const PageTrendPoint& point : trend.points) {
    const std::string day = point.started_at.substr(0, 10);
    const std::string commit = point.commit.substr(0, 10);
    points_shown.push_back(
        {.label = commit.empty() ? day : commit.substr(0, 7),
         .value = 100 * point.value.value,
         .low = 100 * point.value.low,
         .high = 100 * point.value.high,
         .tip = fmt::format("{} {} {}: {} % {}", point.run, commit, day, percent(point.value.value),
                            percent_range(point.value.low, point.value.high))});
    rows += element("tr", "",
                    asset("<th scope=\"row\">") + name_of(point.run) + asset("</th>") +
                        element("td", "", name_of(commit)) + element("td", "", text(day)) +
                        number_cell(percent(point.value.value)) +
                        number_cell(percent_range(point.value.low, point.value.high)));
  }
  const Html head = asset(
                        "<th scope=\"col\">Run</th><th scope=\"col\">Commit</th>"
                        "<th scope=\"col\">Started</th>") +
                    column("Percent") + column("95 % interval");
  return element("figure", "",
                 element("figcaption", "",
                         element("strong", "", name_of(trend.task)) +
                             element("span", "sub", name_of(trend.name))) +
                     trend_plot(points_shown, {.title = trend.task + " of " + trend.name,
                                               .description = "Score of each run, oldest first",
                                               .x_axis = trend.metric + ", percent, by commit"}) +
                     data_table("Oldest first", head, rows));
}

}  // namespace

Html difference_section(const Page& page) {
  if (page.runs.size() < 2) return {};
  const double range = common_range(page);
  Differences means;
  for (const PageRun& run : page.runs) means.push_back(run.mean_change);
  Html figures = forest(page, mean_name(page), "headline metrics", means, range);
  for (const PageMetric& metric : page.metrics) {
    if (metric.headline) {
      figures += forest(page, metric.task, metric.metric, metric.differences, range);
    }
  }
  Html out = paragraph(
      "lead", fmt::format("Change of each run against {} on the same items, with 95 % intervals. "
                          "Filled marks are established at 5 % after Holm's correction over the "
                          "run's tasks and their mean; hollow ones may be chance.",
                          run_name(page.runs[page.reference])));
  if (figures.empty()) out += paragraph("note", "No run can be paired with the reference.");
  return section("differences", "Paired differences",
                 out + element("div", "grid", figures) + difference_table(page));
}

Html group_section(const Page& page) {
  if (page.groups.empty()) return {};
  Html out = paragraph("lead",
                       "Scores by subject, language or level. Colour is the paired difference to "
                       "the reference: orange is worse, blue is better, stronger from 1, 3, 6 and "
                       "12 points on; hatched where the interval includes no difference.");
  for (const PageGroups& groups : page.groups) out += heat_map(page, groups);
  return section("groups", "By group", out);
}

Html trend_section(const Page& page) {
  Html figures;
  for (const PageTrend& trend : page.trends) figures += trend_figure(trend);
  if (figures.empty()) return {};
  return section("trend", "Over time", element("div", "grid", figures));
}

}  // namespace assay::reports
