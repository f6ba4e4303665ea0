#include "reports/render_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/html.h"
#include "reports/svg.h"

namespace assay::reports {
namespace {

using namespace literals;  // NOLINT(google-build-using-namespace): the markup literal of html.h

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

/// "+1.2" or "−0.4", with a real minus sign.
std::string points(double difference) {
  const std::string digits = fmt::format("{:.1f}", std::abs(100 * difference));
  if (digits == "0.0") return digits;
  return (difference < 0 ? "\u2212" : "+") + digits;
}

std::string interval(const PageValue& value) {
  return fmt::format("{} \u2013 {}", percent(value.low), percent(value.high));
}

std::string run_name(const PageRun& run) { return run.model + " " + run.setting; }

/// Excludes no effect: the interval of a difference holds 0.
bool may_be_zero(const PageValue& difference) {
  return difference.low <= 0 && difference.high >= 0;
}

Html cell(const std::optional<PageValue>& value, bool best) {
  if (!value) return "<td class=\"n muted\">not run</td>"_html;
  Html content = text(percent(value->value)) + element("span", "ci", text(interval(*value)));
  if (value->unscored > 0) {
    content += element("span", "ci bad", text(fmt::format("{} not scored", value->unscored)));
  }
  return element("td", best ? "n best" : "n", content);
}

Html difference_cell(const std::optional<PageValue>& difference) {
  if (!difference) return "<td class=\"n muted\">\u2013</td>"_html;
  const char* css = may_be_zero(*difference) ? "n" : difference->value < 0 ? "n bad" : "n good";
  const std::string range = points(difference->low) + " to " + points(difference->high);
  return element("td", css, text(points(difference->value)) + element("span", "ci", text(range)));
}

/// One sentence for each run beside the reference and each headline metric: what changed, how sure.
Html banner(const Page& page) {
  Html items;
  for (const PageMetric& metric : page.metrics) {
    if (!metric.headline) continue;
    for (std::size_t i = 0; i < page.runs.size(); ++i) {
      const auto& difference = metric.differences[i];
      if (!difference) continue;
      const std::string verdict = may_be_zero(*difference) ? "no difference is established"
                                  : difference->value < 0  ? "worse"
                                                           : "better";
      items += element(
          "li", "",
          text(fmt::format(
              "{}: {} against {}: {} points, 95 % interval {} to {} over {} items \u2014 {}.",
              metric.task, run_name(page.runs[i]), run_name(page.runs[page.reference]),
              points(difference->value), points(difference->low), points(difference->high),
              difference->items, verdict)));
    }
  }
  if (items.empty()) return {};
  return element("div", "note", element("ul", "", items));
}

double best_value(const PageMetric& metric) {
  double best = -1;
  for (const auto& value : metric.values) {
    if (value) best = std::max(best, value->value);
  }
  return best;
}

Html board(const Page& page) {
  Html head = "<th scope=\"col\">Model</th><th scope=\"col\">Setting</th>"_html;
  for (const PageMetric& metric : page.metrics) {
    if (!metric.headline) continue;
    head += element("th", "n",
                    text(metric.task) + "<br>"_html + element("span", "ci", text(metric.metric)));
  }
  head += "<th class=\"n\" scope=\"col\">Output tokens/s</th>"_html;
  Html rows;
  for (std::size_t i = 0; i < page.runs.size(); ++i) {
    const PageRun& run = page.runs[i];
    Html row = "<th scope=\"row\">"_html + text(run.model) + "</th>"_html +
               element("td", "", text(run.setting));
    for (const PageMetric& metric : page.metrics) {
      if (!metric.headline) continue;
      const bool best = metric.values[i] && metric.values[i]->value >= best_value(metric);
      row += cell(metric.values[i], best);
    }
    row += element("td", "n",
                   text(run.tokens_per_second ? fmt::format("{:.1f}", *run.tokens_per_second)
                                              : std::string("\u2013")));
    rows += element("tr", "", row);
  }
  return element("h2", "", "Scores"_html) +
         element("div", "scroll",
                 element("table", "",
                         "<caption>Percent of the possible points with 95 % intervals; the best "
                         "value of a column "
                         "is bold.</caption>"_html +
                             element("thead", "", element("tr", "", head)) +
                             element("tbody", "", rows)));
}

Html differences(const Page& page) {
  if (page.runs.size() < 2) return {};
  Html head = "<th scope=\"col\">Task</th><th scope=\"col\">Metric</th>"_html;
  for (std::size_t i = 0; i < page.runs.size(); ++i) {
    if (i != page.reference) head += element("th", "n", text(run_name(page.runs[i])));
  }
  Html rows;
  for (const PageMetric& metric : page.metrics) {
    Html row = element("td", "", text(metric.task)) + element("td", "", text(metric.metric));
    for (std::size_t i = 0; i < page.runs.size(); ++i) {
      if (i != page.reference) row += difference_cell(metric.differences[i]);
    }
    rows += element("tr", "", row);
  }
  const std::string caption = fmt::format(
      "Points against {}, paired by item, with 95 % intervals. Colour where 0 is outside.",
      run_name(page.runs[page.reference]));
  return element("h2", "", "Differences"_html) +
         element("div", "scroll",
                 element("table", "",
                         element("caption", "", text(caption)) +
                             element("thead", "", element("tr", "", head)) +
                             element("tbody", "", rows)));
}

Html pictures(const Page& page) {
  Html out;
  for (const PageMetric& metric : page.metrics) {
    if (!metric.headline) continue;
    std::vector<ForestRow> rows;
    double low = 1;
    double high = 0;
    for (std::size_t i = 0; i < page.runs.size(); ++i) {
      const auto& value = metric.values[i];
      if (!value) continue;
      rows.push_back({.label = run_name(page.runs[i]),
                      .value = 100 * value->value,
                      .low = 100 * value->low,
                      .high = 100 * value->high,
                      .note = fmt::format("{}  [{}]", percent(value->value), interval(*value))});
      low = std::min(low, value->low);
      high = std::max(high, value->high);
    }
    if (rows.empty()) continue;
    const double margin = std::max(0.02, 0.1 * (high - low));
    out += element("h3", "", text(metric.task)) +
           forest_plot(rows, {.title = metric.task + ": " + metric.metric,
                              .description = "Value and 95 % interval of each run",
                              .axis = metric.metric + ", percent",
                              .low = 100 * std::max(0.0, low - margin),
                              .high = 100 * std::min(1.0, high + margin)});
  }
  return out.empty() ? out : element("h2", "", "Scores as pictures"_html) + out;
}

Html group_tables(const Page& page) {
  Html out;
  for (const PageGroups& table : page.groups) {
    Html head = "<th scope=\"col\">Group</th>"_html;
    for (const PageRun& run : page.runs) head += element("th", "n", text(run_name(run)));
    Html rows;
    for (const PageGroup& group : table.groups) {
      Html row = "<th scope=\"row\">"_html + text(group.name) + "</th>"_html;
      for (const auto& value : group.values) row += cell(value, false);
      rows += element("tr", "", row);
    }
    out += element("details", "",
                   element("summary", "",
                           text(fmt::format("{}: {} by group ({})", table.task, table.metric,
                                            table.groups.size()))) +
                       element("div", "scroll",
                               element("table", "",
                                       element("thead", "", element("tr", "", head)) +
                                           element("tbody", "", rows))));
  }
  return out.empty() ? out : element("h2", "", "Groups"_html) + out;
}

Html sample_block(const Page& page, const PageSample& sample) {
  const auto part = [](const char* label, const std::string& content) {
    return element("h3", "", text(label)) + element("pre", "", text(content));
  };
  const Html summary =
      text(fmt::format("{} \u00B7 {} \u00B7 ", sample.item, run_name(page.runs[sample.run]))) +
      element("span", sample.verdict == "correct" ? "good" : "bad", text(sample.verdict)) +
      text(": " + sample.reason);
  return element("details", "",
                 element("summary", "", summary) + part("Prompt", sample.prompt) +
                     part("Response", sample.response) + part("Answer found", sample.answer) +
                     part("Expected", sample.target));
}

Html samples(const Page& page) {
  if (page.samples.empty()) return {};
  Html out = element("h2", "", "Samples"_html);
  for (const PageSample& sample : page.samples) out += sample_block(page, sample);
  if (page.samples_left_out > 0) {
    out += element("p", "muted",
                   text(fmt::format("{} further responses are in the store: assay runs export RUN.",
                                    page.samples_left_out)));
  }
  return out;
}

Html provenance(const Page& page) {
  Html out = element("h2", "", "Provenance"_html);
  for (const PageRun& run : page.runs) {
    Html list;
    for (const auto& [label, value] : run.provenance) {
      list += element("dt", "", text(label)) + element("dd", "", text(value));
    }
    out +=
        element("details", "",
                element("summary", "",
                        text(run_name(run) + " \u00B7 run " + run.id + " \u00B7 " + run.status)) +
                    element("dl", "", list));
  }
  return out;
}

Html methods() {
  return R"(<h2>Methods</h2>
<p>A score is the share of possible points. Intervals are at 95 %: Wilson's for plain shares, from
clustered standard errors where items share a source, from the groups' errors for macro averages.
Differences are paired: the same items were asked in both runs, and the interval is that of the mean
difference per item. Responses without a verdict (an error of the harness, a server or a sandbox)
are left out and counted beside the score.</p>)"_html;
}

}  // namespace

std::string render_html(const Page& page) {
  const std::string policy = fmt::format(
      "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; "
      "form-action 'none'",
      csp_digest(kReportJs), csp_digest(kReportCss));
  Html body = element("h1", "", text(page.title));
  for (const std::string& note : page.notes) body += element("p", "note warn", text(note));
  body += banner(page) + board(page) + differences(page) + pictures(page) + group_tables(page) +
          samples(page) + provenance(page) + methods();
  const Html out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"_html +
      "<meta http-equiv=\"Content-Security-Policy\" content=\""_html + asset(policy) +
      "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"_html +
      element("title", "", text(page.title)) + "\n<style>"_html + asset(kReportCss) +
      "</style>\n</head><body><main>\n"_html + body + "\n</main>\n<script>"_html +
      asset(kReportJs) + "</script>\n</body></html>\n"_html;
  return out.str();
}

}  // namespace assay::reports
