// The leaderboard: runs against tasks, with intervals, differences and speeds.
#include <fmt/format.h>

#include <algorithm>

#include "reports/page_format.h"
#include "reports/page_html.h"
#include "reports/svg.h"

namespace assay::reports {
namespace {

/// `data-v` is what the script sorts by.
Html open_cell(const char* css_class, double value) {
  return asset(fmt::format("<td class=\"{}\" data-v=\"{:.6g}\">", css_class, value));
}

Html missing(const std::string& why) {
  return asset("<td class=\"n muted\">") + text(why) + asset("</td>");
}

ForestRange range_of(const PageMetric& metric) {
  double low = 1;
  double high = 0;
  for (const auto& value : metric.values) {
    if (!value) continue;
    low = std::min(low, value->low);
    high = std::max(high, value->high);
  }
  return {.low = low, .high = std::max(high, low + 1e-6)};
}

Html change_mark(const PageDifference& d) {
  const Change change = change_of(d);
  const char* icon = change == Change::kWorse    ? "\u25BC "
                     : change == Change::kBetter ? "\u25B2 "
                                                 : "";
  const std::string tip =
      fmt::format("{} points {}, p {}, Holm p {}: {}", points(d.value), points_range(d.low, d.high),
                  p_text(d.p), p_text(d.p_adjusted), change_words(change));
  return asset(fmt::format("<span class=\"delta {}\" data-tip=\"", change_class(change))) +
         text(tip) + asset("\">") + asset(icon) + text(points(d.value)) + asset("</span>");
}

Html change_mark(const Page& page, const PageMetric& metric, std::size_t run) {
  if (run == page.reference) return {};
  if (!metric.incomparable[run].empty()) {
    return asset("<span class=\"delta apart\" data-tip=\"") + text(metric.incomparable[run]) +
           asset("\">\u2260 not comparable</span>");
  }
  return metric.differences[run] ? change_mark(*metric.differences[run]) : Html();
}

Html score_cell(const Page& page, const PageMetric& metric, std::size_t column, std::size_t run) {
  const auto& value = metric.values[run];
  if (!value) return missing("not run");
  const auto& reference = metric.values[page.reference];
  double best = 0;
  for (const auto& other : metric.values) best = std::max(best, other ? other->value : 0.0);
  Html out =
      open_cell(value->value >= best && best > 0 ? "n score best" : "n score", 100 * value->value);
  out += asset(fmt::format("<a class=\"figure\" href=\"#figure-{}-{}\">", run, column)) +
         text(percent(value->value)) + asset("</a>") + change_mark(page, metric, run) +
         interval_mark(value->value, value->low, value->high, range_of(metric),
                       reference ? reference->value : value->value) +
         element("span", "ci", text(percent_range(value->low, value->high)));
  if (value->unscored > 0) {
    out += element("span", "ci warn", text(count_text(value->unscored) + " not scored"));
  }
  return out + asset("</td>");
}

/// A figure of the run as a whole; columns that no run fills are left out.
struct RunColumn {
  const char* name;
  const char* unit;
  std::optional<double> PageRun::*field;
  std::string (*shown)(double);
  bool lower_is_better;
};
constexpr RunColumn kRunColumns[] = {
    {"Throughput", "output tokens/s", &PageRun::tokens_per_second, short_number, false},
    {"Peak memory", "of the run", &PageRun::peak_memory_bytes, bytes_text, true},
    {"Energy", "of the run", &PageRun::energy_j, joules_text, true}};

bool any_has(const Page& page, std::optional<double> PageRun::*field) {
  return std::any_of(page.runs.begin(), page.runs.end(),
                     [&](const PageRun& run) { return (run.*field).has_value(); });
}

const PageSpread* spread_of_run(const std::vector<PageSpread>& list, std::size_t run) {
  for (const PageSpread& spread : list) {
    if (spread.run == run) return &spread;
  }
  return nullptr;
}

Html head_cell(const Html& name, const std::string& below, bool lower_is_better, bool task) {
  return asset(fmt::format("<th scope=\"col\" class=\"{}\"{}>", task ? "task" : "n",
                           lower_is_better ? " data-lower" : "")) +
         name + element("span", "sub", text(below)) + asset("</th>");
}

Html board_head(const Page& page) {
  Html out = asset("<th scope=\"col\">Run</th>");
  if (page.common_tasks.size() > 1) {
    out += head_cell(text("Mean"), counted(std::ssize(page.common_tasks), "task"), false, true);
  }
  for (const PageMetric& metric : page.metrics) {
    if (!metric.headline) continue;
    const std::size_t at = std::min(metric.task.find('@'), metric.task.size());
    out += head_cell(name_of(metric.task.substr(0, at)),
                     metric.task.substr(at) + " " + metric.metric, false, true);
  }
  for (const RunColumn& column : kRunColumns) {
    if (any_has(page, column.field)) {
      out += head_cell(text(column.name), column.unit, column.lower_is_better, false);
    }
  }
  if (!page.total_ms.empty()) out += head_cell(text("Latency"), "median response", true, false);
  return out;
}

Html run_row(const Page& page, std::size_t index) {
  const PageRun& run = page.runs[index];
  Html out = asset(fmt::format("<th scope=\"row\"><a href=\"#run-{}\">", index)) +
             name_of(run.setting) + asset("</a>") + element("span", "sub", name_of(run.model));
  if (index == page.reference) out += element("span", "sub", text("reference"));
  if (!run.label.empty()) out += element("span", "sub", name_of(run.label));
  if (run.status != "done") out += element("span", "sub warn", text(run.status));
  out += asset("</th>");
  if (page.common_tasks.size() > 1) {
    out += open_cell("n score", 100 * run.mean.value_or(0)) +
           element("span", "figure", text(percent(run.mean.value_or(0)))) +
           (run.mean_change ? change_mark(*run.mean_change) : Html()) + asset("</td>");
  }
  std::size_t column = 0;
  for (const PageMetric& metric : page.metrics) {
    if (metric.headline) out += score_cell(page, metric, column++, index);
  }
  for (const RunColumn& figure : kRunColumns) {
    if (!any_has(page, figure.field)) continue;
    const std::optional<double>& value = run.*figure.field;
    out += value ? open_cell("n", *value) + text(figure.shown(*value)) + asset("</td>")
                 : missing("\u2013");
  }
  if (!page.total_ms.empty()) {
    const PageSpread* spread = spread_of_run(page.total_ms, index);
    out += spread != nullptr ? open_cell("n", spread->quantiles[2]) +
                                   text(milliseconds(spread->quantiles[2])) + asset("</td>")
                             : missing("\u2013");
  }
  const bool is_reference = index == page.reference;
  return asset(fmt::format("<tr class=\"{}\" data-run=\"{}\">", is_reference ? "run base" : "run",
                           index)) +
         out + asset("</tr>\n");
}

/// Published scores of one model and source, in the columns of the tasks they are about.
Html published_rows(const Page& page) {
  Html out;
  std::vector<std::string> done;
  for (const PublishedScore& first : page.published) {
    const std::string key = first.model + "\n" + first.setting + "\n" + first.source;
    if (std::find(done.begin(), done.end(), key) != done.end()) continue;
    done.push_back(key);
    Html row = asset("<th scope=\"row\">") + name_of(first.model) +
               element("span", "sub", text("published, " + first.setting)) +
               element("span", "sub", text(first.source)) + asset("</th>");
    if (page.common_tasks.size() > 1) row += missing("\u2013");
    for (const PageMetric& metric : page.metrics) {
      if (!metric.headline) continue;
      const std::string name = metric.task.substr(0, metric.task.find('@'));
      const auto score = std::find_if(
          page.published.begin(), page.published.end(), [&](const PublishedScore& other) {
            return other.task == name &&
                   other.model + "\n" + other.setting + "\n" + other.source == key;
          });
      if (score == page.published.end()) {
        row += missing("\u2013");
        continue;
      }
      row += open_cell("n score", 100 * score->value) +
             element("span", "figure", text(percent(score->value))) +
             element("span", "ci", text(score->metric)) +
             element("span", "ci", text(score->protocol)) + asset("</td>");
    }
    for (const RunColumn& column : kRunColumns) {
      if (any_has(page, column.field)) row += missing("\u2013");
    }
    if (!page.total_ms.empty()) row += missing("\u2013");
    out += asset("<tr class=\"published\">") + row + asset("</tr>\n");
  }
  return out;
}

Html all_metrics(const Page& page) {
  Html head = asset("<th scope=\"col\">Task</th><th scope=\"col\">Metric</th>");
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    head += column(short_run_name(page, run));
  }
  Html rows;
  for (const PageMetric& metric : page.metrics) {
    Html row = asset("<th scope=\"row\">") + name_of(metric.task) + asset("</th>") +
               element("td", "", name_of(metric.metric));
    for (std::size_t run = 0; run < page.runs.size(); ++run) {
      const auto& value = metric.values[run];
      if (!value) {
        row += missing("\u2013");
        continue;
      }
      row += open_cell("n", 100 * value->value) + text(percent(value->value)) +
             element("span", "ci", text(percent_range(value->low, value->high))) + asset("</td>");
    }
    rows += element("tr", "", row);
  }
  return element(
      "details", "data",
      element("summary", "", text("Every metric")) +
          table("plain", text("Percent of the possible points, 95 % intervals"), head, rows));
}

}  // namespace

Html board_section(const Page& page) {
  Html rows;
  for (std::size_t run = 0; run < page.runs.size(); ++run) rows += run_row(page, run);
  rows += published_rows(page);
  std::string caption =
      "Percent of the possible points with 95 % intervals. Beside each score, its change against "
      "the reference in points; \u25BC and \u25B2 mark changes that are established.";
  if (!page.published.empty()) {
    caption += " Published scores were not measured here and may follow another protocol.";
  }
  return section("board", "Leaderboard",
                 asset("<div id=\"board-tools\" class=\"tools\" hidden></div>") +
                     table("board", text(caption), board_head(page), rows) + all_metrics(page));
}

}  // namespace assay::reports
