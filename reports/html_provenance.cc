// Where every figure comes from, how it was computed, and how to make it again.
#include <fmt/format.h>

#include <algorithm>

#include "reports/page_format.h"
#include "reports/page_html.h"

namespace assay::reports {
namespace {

std::string fact(const PageFacts& facts, const std::string& label) {
  for (const auto& [name, value] : facts) {
    if (name == label) return value;
  }
  return "";
}

std::vector<std::string> fact_labels(const Page& page) {
  std::vector<std::string> out;
  for (const PageRun& run : page.runs) {
    for (const auto& entry : run.provenance) {
      if (std::find(out.begin(), out.end(), entry.first) == out.end()) out.push_back(entry.first);
    }
  }
  return out;
}

Html fact_list(const PageFacts& facts) {
  Html out;
  for (const auto& [label, value] : facts) {
    out += element("dt", "", text(label)) + element("dd", "", name_of(value));
  }
  return element("dl", "", out);
}

/// What all runs share, then what tells them apart.
Html comparison(const Page& page) {
  PageFacts same;
  Html head = asset("<th scope=\"col\">What</th>");
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    head += asset("<th scope=\"col\">") + name_of(short_run_name(page, run)) + asset("</th>");
  }
  Html rows;
  for (const std::string& label : fact_labels(page)) {
    const std::string first = fact(page.runs[0].provenance, label);
    const bool equal = std::all_of(page.runs.begin(), page.runs.end(), [&](const PageRun& run) {
      return fact(run.provenance, label) == first;
    });
    if (equal) {
      same.emplace_back(label, first);
      continue;
    }
    Html row = asset("<th scope=\"row\">") + text(label) + asset("</th>");
    for (const PageRun& run : page.runs) {
      row += element("td", "", name_of(fact(run.provenance, label)));
    }
    rows += element("tr", "", row);
  }
  Html out =
      element("details", "data",
              element("summary", "",
                      text(fmt::format("Equal in {}: {}", counted(std::ssize(page.runs), "run"),
                                       counted(std::ssize(same), "fact")))) +
                  fact_list(same));
  if (rows.empty()) return out;
  return out + element("details", "data",
                       element("summary", "", text("What tells the runs apart")) +
                           table("plain facts", text("Facts that differ"), head, rows));
}

/// Number of the task's column on the board.
std::optional<std::size_t> board_column(const Page& page, const std::string& task) {
  std::size_t column = 0;
  for (const PageMetric& metric : page.metrics) {
    if (!metric.headline) continue;
    if (metric.task == task) return column;
    ++column;
  }
  return std::nullopt;
}

Html figure_block(const Page& page, std::size_t run, const std::string& task,
                  const PageFacts& facts) {
  Html values;
  for (const PageMetric& metric : page.metrics) {
    if (metric.task != task || !metric.values[run]) continue;
    const PageValue& value = *metric.values[run];
    values += element("dt", "", name_of(metric.metric)) +
              element("dd", "",
                      text(fmt::format("{} %, 95 % {}, {}, {} not scored", percent(value.value),
                                       percent_range(value.low, value.high),
                                       counted(value.items, "item"), count_text(value.unscored))));
  }
  const auto column = board_column(page, task);
  const Html open =
      column ? asset(fmt::format("<div class=\"figure-of\" id=\"figure-{}-{}\">", run, *column))
             : asset("<div class=\"figure-of\">");
  return open + element("h3", "", name_of(task)) + element("dl", "", values) + fact_list(facts) +
         asset("</div>");
}

Html run_block(const Page& page, std::size_t index) {
  const PageRun& run = page.runs[index];
  Html content = fact_list(run.provenance);
  for (const auto& [task, facts] : run.tasks) content += figure_block(page, index, task, facts);
  return asset(fmt::format("<details class=\"run-facts\" id=\"run-{}\"><summary>", index)) +
         name_of(run_name(run)) + element("span", "sub", text(run.id)) + asset("</summary>") +
         content + asset("</details>");
}

}  // namespace

Html provenance_section(const Page& page) {
  if (page.runs.empty()) return {};
  Html out = paragraph("lead",
                       "Each figure of the leaderboard links to the run it comes from: model, "
                       "data, protocol, program and machine.");
  if (page.runs.size() > 1) out += comparison(page);
  for (std::size_t run = 0; run < page.runs.size(); ++run) out += run_block(page, run);
  return section("provenance", "Provenance", out);
}

Html method_section(const Page& page) {
  using namespace literals;  // NOLINT(google-build-using-namespace): the markup literal of html.h
  Html out = R"(<dl class="glossary">
<dt>Score</dt><dd>Share of the possible points. Responses without a verdict (an error of the
harness, a server or a sandbox) are left out and counted beside it; an answer that was not found is
wrong.</dd>
<dt>Interval</dt><dd>95 %. Wilson's for plain shares of independent items; t with standard errors
clustered by source where items share one; the errors of the groups for macro averages.</dd>
<dt>Difference</dt><dd>Mean of the differences item by item, on the items that both runs scored. Its
p is that of the exact McNemar test for right and wrong answers, else of a t test with clustered
errors, two-sided.</dd>
<dt>Established</dt><dd>Holm-adjusted p below 0.05. The correction is over the tasks of one run and
their mean, not over the runs of the page: with many runs on a page a few marks are due to
chance.</dd>
<dt>Detectable</dt><dd>The smallest true difference that is found with a power of 80 % at the level
of 5 %, given the spread that was seen.</dd>
<dt>Mean</dt><dd>Plain mean of the headline metrics of the tasks that all runs have and that can be
compared. Its change is tested by flipping the signs of all items' changes: where nothing changed,
gains and losses are equally likely. A small loss on every task can show here and on none of
them.</dd>
<dt>Throughput</dt><dd>Output tokens of the whole evaluation over the time its engine was busy.</dd>
<dt>Identical</dt><dd>Responses with the same tokens, or the same log-probabilities where those
decide.</dd>
</dl>)"_html;
  if (!page.runs.empty()) {
    std::string command =
        "assay report --html report.html --reference " + page.runs[page.reference].id;
    for (const PageRun& run : page.runs) command += " " + run.id;
    out += element("p", "", text("This page again, from the same store:")) +
           element("pre", "command", text(command));
  }
  return section("methods", "Methods", out);
}

}  // namespace assay::reports
