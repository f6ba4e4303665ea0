#include "reports/page_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "reports/compare.h"
#include "reports/page_format.h"
#include "reports/page_verdict.h"

namespace assay::reports {
namespace {

/// One cell or line: no markup of Markdown or HTML, no line break, no control characters.
std::string md(const std::string& plain) {
  std::string out;
  for (const char c : escaped(plain, 400)) {
    if (std::string_view("\\`*_{}[]<>|#!~&@").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

using Row = std::vector<std::string>;

std::string md_table(const Row& head, const std::vector<Row>& rows) {
  std::string out = "| " + join(head, " | ") + " |\n|";
  for (std::size_t i = 0; i < head.size(); ++i) out += i == 0 ? "---|" : "---:|";
  out += "\n";
  for (const Row& row : rows) out += "| " + join(row, " | ") + " |\n";
  return out + "\n";
}

/// " -1.2 ▼", or nothing.
std::string md_change(const std::optional<PageDifference>& difference) {
  if (!difference) return "";
  const Change change = change_of(*difference);
  const char* mark = change == Change::kWorse ? " \u25BC" : " \u25B2";
  return " " + points(difference->value) + (change == Change::kNone ? "" : mark);
}

std::string md_score(const Page& page, const PageMetric& metric, std::size_t run) {
  if (!metric.values[run]) return "\u2013";
  const PageValue& value = *metric.values[run];
  std::string out = percent(value.value) + " [" + percent_range(value.low, value.high) + "]";
  out += md_change(metric.differences[run]);
  if (!metric.differences[run] && run != page.reference && !metric.incomparable[run].empty()) {
    out += " \u2260";
  }
  if (value.unscored > 0) out += " (" + count_text(value.unscored) + " not scored)";
  return out;
}

std::string md_board(const Page& page) {
  Row head = {"Run"};
  const bool has_mean = page.common_tasks.size() > 1;
  if (has_mean) head.emplace_back("Mean");
  for (const PageMetric& metric : page.metrics) {
    if (metric.headline) head.push_back(md(metric.task) + " " + md(metric.metric));
  }
  head.emplace_back("Output tokens/s");
  head.emplace_back("Peak memory");
  std::vector<Row> rows;
  for (std::size_t i = 0; i < page.runs.size(); ++i) {
    const PageRun& run = page.runs[i];
    Row row = {md(run.model) + " " + md(run.setting) + (i == page.reference ? " (reference)" : "")};
    if (has_mean) row.push_back(percent(run.mean.value_or(0)) + md_change(run.mean_change));
    for (const PageMetric& metric : page.metrics) {
      if (metric.headline) row.push_back(md_score(page, metric, i));
    }
    row.push_back(run.tokens_per_second ? short_number(*run.tokens_per_second) : "\u2013");
    row.push_back(run.peak_memory_bytes ? bytes_text(*run.peak_memory_bytes) : "\u2013");
    rows.push_back(std::move(row));
  }
  return "## Leaderboard\n\nPercent with 95 % intervals, then the change against the reference; "
         "\u25BC \u25B2 established, \u2260 not comparable.\n\n" +
         md_table(head, rows);
}

Row md_difference(const Page& page, const std::string& name, std::size_t run,
                  const PageDifference& d) {
  return {md(name),
          md(short_run_name(page, run)),
          points(d.value),
          points_range(d.low, d.high),
          md(p_text(d.p_adjusted)),
          count_text(d.right_to_wrong),
          count_text(d.wrong_to_right),
          percent(d.detectable),
          count_text(d.items)};
}

std::string md_differences(const Page& page) {
  std::vector<Row> rows;
  for (const PageMetric& metric : page.metrics) {
    for (std::size_t run = 0; run < page.runs.size(); ++run) {
      if (!metric.headline || !metric.differences[run]) continue;
      rows.push_back(md_difference(page, metric.task, run, *metric.differences[run]));
    }
  }
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    const auto& mean = page.runs[run].mean_change;
    if (mean) rows.push_back(md_difference(page, mean_name(page), run, *mean));
  }
  if (rows.empty()) return "";
  return "## Paired differences\n\n" +
         md_table({"Task", "Run", "Points", "95 %", "Holm p", "Right to wrong", "Wrong to right",
                   "Detectable", "Items"},
                  rows);
}

std::string md_numerics(const Page& page) {
  if (page.numerics.empty()) return "";
  return "## Numerics\n\nAgainst " + md(page.numerics.front().numerics.reference) +
         " on the same text, nats a token.\n\n" + numerics_markdown(page.numerics) + "\n";
}

std::string md_published(const Page& page) {
  std::vector<Row> rows;
  for (const PublishedScore& score : page.published) {
    rows.push_back({md(score.model) + " " + md(score.setting), md(score.task), md(score.metric),
                    percent(score.value), md(score.protocol), md(score.source)});
  }
  if (rows.empty()) return "";
  return "## Published scores, not measured here\n\n" +
         md_table({"Model", "Task", "Metric", "Percent", "Protocol", "Source"}, rows);
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

struct CsvLine {
  std::string section, task, metric, group;
  std::size_t run = 0;
};

std::string csv_line(const Page& page, const CsvLine& line, const std::vector<std::string>& rest) {
  const PageRun& run = page.runs[line.run];
  std::vector<std::string> cells;
  for (const std::string* text :
       {&line.section, &line.task, &line.metric, &line.group, &run.id, &run.model, &run.setting}) {
    cells.push_back(csv_cell(*text));
  }
  cells.insert(cells.end(), rest.begin(), rest.end());
  return join(cells, ",") + "\r\n";
}

std::vector<std::string> csv_value(const PageValue& value) {
  return {number(value.value), number(value.low), number(value.high), std::to_string(value.items),
          std::to_string(value.unscored)};
}

std::string csv_metric(const Page& page, const PageMetric& metric, std::size_t run) {
  std::vector<std::string> rest = csv_value(*metric.values[run]);
  if (metric.differences[run]) {
    const PageDifference& d = *metric.differences[run];
    for (std::string cell :
         {number(d.value), number(d.low), number(d.high), number(d.p), number(d.p_adjusted),
          std::to_string(d.right_to_wrong), std::to_string(d.wrong_to_right),
          std::string(change_words(change_of(d)))}) {
      rest.push_back(std::move(cell));
    }
  } else {
    rest.resize(rest.size() + 7);
    rest.push_back(metric.incomparable[run].empty()
                       ? ""
                       : csv_cell("not comparable: " + metric.incomparable[run]));
  }
  return csv_line(page, {"score", metric.task, metric.metric, "", run}, rest);
}

}  // namespace

std::string page_markdown(const Page& page) {
  std::string out = "# " + md(page.title) + "\n\n";
  for (const std::string& note : page.notes) out += "> " + md(note) + "\n\n";
  for (const PageAnswer& answer : answers_of(page)) {
    out += "- **" + answer.question + "** " + md(answer.answer) + ". " + md(answer.detail) + "\n";
  }
  out += "\n";
  for (const RunVerdict& verdict : verdicts_of(page)) {
    out += "- " + md(short_run_name(page, verdict.run)) + ": " + md(verdict_words(page, verdict)) +
           "\n";
  }
  return out + "\n" + md_board(page) + md_differences(page) + md_numerics(page) +
         md_published(page);
}

std::string page_csv(const Page& page) {
  std::string out =
      "section,task,metric,group,run,model,setting,value,ci_low,ci_high,n,unscored,difference,"
      "difference_low,difference_high,p,p_holm,right_to_wrong,wrong_to_right,verdict\r\n";
  for (const PageMetric& metric : page.metrics) {
    for (std::size_t run = 0; run < page.runs.size(); ++run) {
      if (metric.values[run]) out += csv_metric(page, metric, run);
    }
  }
  for (const PageGroups& groups : page.groups) {
    for (const PageGroup& group : groups.groups) {
      for (std::size_t run = 0; run < page.runs.size(); ++run) {
        if (!group.values[run]) continue;
        std::vector<std::string> rest = csv_value(*group.values[run]);
        if (group.differences[run]) {
          const PageValue& d = *group.differences[run];
          for (const double value : {d.value, d.low, d.high}) rest.push_back(number(value));
        }
        rest.resize(13);
        out += csv_line(page, {"group", groups.task, groups.metric, group.name, run}, rest);
      }
    }
  }
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    const PageRun& r = page.runs[run];
    for (const auto& [name, value] :
         {std::pair("output_tokens_per_s", r.tokens_per_second),
          std::pair("peak_memory_bytes", r.peak_memory_bytes), std::pair("energy_j", r.energy_j)}) {
      if (!value) continue;
      std::vector<std::string> rest = {number(*value)};
      rest.resize(13);
      out += csv_line(page, {"run", "", name, "", run}, rest);
    }
  }
  return out;
}

}  // namespace assay::reports
