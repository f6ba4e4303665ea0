// Accuracy against throughput, distributions of times, benches, how responses look.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/compare_speed.h"
#include "reports/page_format.h"
#include "reports/page_html.h"
#include "reports/page_verdict.h"
#include "reports/svg.h"

namespace assay::reports {
namespace {

/// Interval of the mean over the common tasks: their errors are independent.
double mean_half_width(const Page& page, std::size_t run) {
  double sum = 0;
  std::int64_t tasks = 0;
  for (const PageMetric& metric : page.metrics) {
    if (!metric.headline || !is_common(page, metric.task)) continue;
    const double half = (metric.values[run]->high - metric.values[run]->low) / 2;
    sum += half * half;
    ++tasks;
  }
  return tasks == 0 ? 0 : std::sqrt(sum) / static_cast<double>(tasks);
}

std::vector<ScatterPoint> scatter_points(const Page& page, Html& rows) {
  std::vector<ScatterPoint> out;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    const auto score = rank_value(page, run);
    const auto& speed = page.runs[run].tokens_per_second;
    if (!score || !speed) continue;
    const double half = mean_half_width(page, run);
    const std::string range = percent_range(*score - half, *score + half);
    out.push_back({.label = short_run_name(page, run),
                   .x = *speed,
                   .y = 100 * *score,
                   .y_low = 100 * (*score - half),
                   .y_high = 100 * (*score + half),
                   .tip = fmt::format("{}: {} % [{}], {} tokens/s", short_run_name(page, run),
                                      percent(*score), range, short_number(*speed)),
                   .css = run == page.reference ? "base" : ""});
    rows += element("tr", "",
                    asset("<th scope=\"row\">") + name_of(short_run_name(page, run)) +
                        asset("</th>") + number_cell(percent(*score)) + number_cell(range) +
                        number_cell(short_number(*speed)));
  }
  return out;
}

/// What the x axis is: one measure for all runs, or which have the other one.
std::string throughput_words(const Page& page) {
  std::size_t benches = 0;
  std::size_t speeds = 0;
  std::string names;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    if (!page.runs[run].tokens_per_second) continue;
    ++speeds;
    if (page.runs[run].speed_source.empty()) continue;
    ++benches;
    names += (names.empty() ? "" : ", ") + short_run_name(page, run);
  }
  const std::string own = "over the time the engine was busy in this evaluation";
  if (benches == 0) return own;
  const std::string offline = "a second of the stored offline benchmark";
  return benches == speeds ? offline : own + "; for " + names + " " + offline;
}

Html pareto(const Page& page) {
  Html rows;
  const std::vector<ScatterPoint> points = scatter_points(page, rows);
  if (points.size() < 2) {
    return paragraph("note",
                     "Accuracy against throughput needs two runs with a stored speed and a task "
                     "in common; there are fewer, so the picture is left out.");
  }
  const Html head = asset("<th scope=\"col\">Run</th>") + column("Score %") +
                    column("95 % interval") + column("Output tokens/s");
  return element(
      "figure", "wide",
      element("figcaption", "",
              element("strong", "", text("Accuracy against throughput")) +
                  element("span", "sub",
                          text(std::string(
                                   "Up and right is better. The line joins the runs that no other "
                                   "beats in both. Throughput is output tokens ") +
                               throughput_words(page) + "."))) +
          scatter_plot(points, {.title = "Accuracy against throughput",
                                .description = "One point a run, with the 95 % interval of its "
                                               "score; the Pareto front is joined",
                                .x_axis = "output tokens/s",
                                .y_axis = "score %, " + mean_name(page)}) +
          data_table("Points of the picture", head, rows));
}

struct SpreadWords {
  const char* title;
  const char* about;
  const char* axis;
  std::string (*shown)(double);
};

std::string rate_text(double rate) { return short_number(rate); }

Html spread_figure(const Page& page, const std::vector<PageSpread>& spreads,
                   const SpreadWords& words) {
  if (spreads.empty()) return {};
  std::vector<StripRow> strips;
  Html head = asset("<th scope=\"col\">Run</th>");
  for (const double share : kSpreadShares) head += column(fmt::format("p{:.0f}", 100 * share));
  head += column("Responses");
  Html rows;
  for (const PageSpread& spread : spreads) {
    const auto& q = spread.quantiles;
    const std::string name = short_run_name(page, spread.run);
    strips.push_back({.label = name,
                      .p5 = q[0],
                      .p25 = q[1],
                      .p50 = q[2],
                      .p75 = q[3],
                      .p95 = q[5],
                      .note = words.shown(q[2]),
                      .css = spread.run == page.reference ? "base" : ""});
    Html row = asset("<th scope=\"row\">") + name_of(name) + asset("</th>");
    for (const double value : q) row += number_cell(words.shown(value));
    rows += element("tr", "", row + number_cell(count_text(spread.count)));
  }
  return element("figure", "",
                 element("figcaption", "",
                         element("strong", "", text(words.title)) +
                             element("span", "sub", text(words.about))) +
                     strip_plot(strips, {.title = words.title,
                                         .description = "Median, quartiles, 5 to 95 % of each run",
                                         .x_axis = words.axis}) +
                     data_table("Values that happened, by share of the responses", head, rows));
}

bool is_headline(const PageBench& bench) {
  const std::vector<HeadlineMetric> metrics = headline_metrics();
  return std::any_of(metrics.begin(), metrics.end(),
                     [&](const HeadlineMetric& metric) { return bench.metric == metric.name; });
}

Html bench_rows(const Page& page, bool headlines) {
  Html rows;
  for (const PageBench& bench : page.benches) {
    if (is_headline(bench) != headlines) continue;
    rows += element(
        "tr", "",
        asset("<th scope=\"row\">") + name_of(short_run_name(page, bench.run)) + asset("</th>") +
            element("td", "", name_of(bench.name)) + element("td", "", name_of(bench.metric)) +
            number_cell(short_number(bench.mean)) +
            number_cell(bench.interval ? short_number(bench.interval->low) : "") +
            number_cell(bench.interval ? short_number(bench.interval->high) : "") +
            number_cell(count_text(bench.starts)) + number_cell(count_text(bench.repetitions)) +
            number_cell(count_text(bench.invalid)));
  }
  return rows;
}

Html benches(const Page& page) {
  if (page.benches.empty()) return {};
  const Html head = asset(
                        "<th scope=\"col\">Run</th><th scope=\"col\">Case</th>"
                        "<th scope=\"col\">Metric</th>") +
                    column("Mean") + column("95 % from") + column("to") + column("Starts") +
                    column("Repetitions") + column("Invalid");
  return element("h3", "", text("Stored benchmarks of speed")) +
         table("plain", text("Units stand in the metric's name; definitions: docs/bench.md"), head,
               bench_rows(page, true)) +
         data_table("All other metrics of these cases", head, bench_rows(page, false));
}

}  // namespace

Html speed_section(const Page& page) {
  const Html figures = spread_figure(page, page.first_token_ms,
                                     {"Time to first token", "from being sent; median at the right",
                                      "milliseconds, logarithmic", milliseconds}) +
                       spread_figure(page, page.total_ms,
                                     {"Time of a response", "from being sent to its last token",
                                      "milliseconds, logarithmic", milliseconds}) +
                       spread_figure(page, page.rates,
                                     {"Token rate of a response", "after its first token",
                                      "output tokens/s, logarithmic", rate_text});
  Html out = pareto(page) + element("div", "grid", figures);
  if (!figures.empty()) {
    out += paragraph("muted",
                     "Times are those of the evaluation, with as many responses in flight as it "
                     "ran; they say how the settings compare on one machine, not how a server "
                     "under another load would answer.");
  }
  return section("speed", "Speed", out + benches(page));
}

Html behaviour_section(const Page& page) {
  if (page.behaviours.empty()) return {};
  const Html head = asset("<th scope=\"col\">Task</th><th scope=\"col\">Run</th>") +
                    column("Responses") + column("Mean tokens") + column("Cut at the limit %") +
                    column("No answer found %") + column("Not scored") +
                    column("Identical to reference %");
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole == 0 ? std::string("\u2013")
                      : percent(static_cast<double>(part) / static_cast<double>(whole));
  };
  std::vector<PageBehaviour> sorted = page.behaviours;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.task < b.task; });
  Html rows;
  for (const PageBehaviour& row : sorted) {
    rows +=
        element("tr", "",
                asset("<th scope=\"row\">") + name_of(row.task) + asset("</th>") +
                    element("td", "", name_of(short_run_name(page, row.run))) +
                    number_cell(count_text(row.responses)) +
                    number_cell(fmt::format("{:.1f}", row.mean_output_tokens)) +
                    number_cell(share(row.truncated, row.responses)) +
                    number_cell(share(row.unanswered, row.responses)) +
                    number_cell(count_text(row.unscored)) +
                    number_cell(row.identical ? percent(*row.identical) : std::string("\u2013")));
  }
  return section("output", "Output",
                 element("details", "data",
                         element("summary", "",
                                 text("Length, truncation and missing answers of each task and "
                                      "run")) +
                             table("plain", text("How the responses look, whatever their verdicts"),
                                   head, rows)));
}

}  // namespace assay::reports
