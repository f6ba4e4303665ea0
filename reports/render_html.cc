#include "reports/render_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/html.h"
#include "reports/page_format.h"
#include "reports/page_html.h"
#include "reports/page_json.h"

namespace assay::reports {

using namespace literals;  // NOLINT(google-build-using-namespace): the markup literal of html.h

Html sample_section(const Page& page, std::size_t shown) {
  if (page.responses_stored == 0 && page.items.empty()) return {};
  std::int64_t responses = 0;
  for (std::size_t i = 0; i < shown; ++i) responses += std::ssize(page.items[i].responses);
  std::string words = fmt::format(
      "{} with {} are in this page",
      counted(std::ssize(page.items) == 0 ? 0 : static_cast<std::int64_t>(shown), "item"),
      counted(responses, "response"));
  if (responses < page.responses_stored) {
    words += fmt::format(
        ", of {} in the store: changed verdicts first, then failures, then changed responses. "
        "`assay runs export RUN` writes all of them.",
        count_text(page.responses_stored));
  } else {
    words += ": all that the store has for these runs.";
  }
  if (page.withheld) {
    words +=
        " Prompts and responses of data sets whose authors ask that items are not published are "
        "withheld.";
  }
  return section("samples", "Samples",
                 paragraph("lead", words) +
                     "<noscript><p class=\"note\">The sample browser needs scripts; everything "
                     "above and below is complete without them.</p></noscript>\n"
                     "<div id=\"browser\" hidden></div>"_html);
}

namespace {

constexpr std::size_t kScaleBytes = 2000;  // kept free for counts whose length changes

Html navigation(const Html& sections) {
  struct Entry {
    const char* id;
    const char* name;
  };
  constexpr Entry kEntries[] = {
      {"summary", "Summary"},       {"board", "Leaderboard"}, {"differences", "Differences"},
      {"speed", "Speed"},           {"numerics", "Numerics"}, {"groups", "Groups"},
      {"trend", "Over time"},       {"output", "Output"},     {"samples", "Samples"},
      {"provenance", "Provenance"}, {"methods", "Methods"}};
  Html out;
  for (const Entry& entry : kEntries) {
    const std::string mark = fmt::format("<section id=\"{}\">", entry.id);
    if (sections.str().find(mark) == std::string::npos) continue;
    out += asset(fmt::format("<a href=\"#{}\">{}</a>", entry.id, entry.name));
  }
  return "<nav aria-label=\"Sections\">"_html + out + "</nav>\n"_html;
}

/// Of when and what, in one line.
std::string dateline(const Page& page) {
  std::string first;
  std::string last;
  for (const PageRun& run : page.runs) {
    const std::string day = run.started_at.substr(0, 10);
    if (first.empty() || day < first) first = day;
    last = std::max(last, day);
  }
  std::vector<std::string> tasks;
  for (const PageMetric& metric : page.metrics) {
    if (metric.headline) tasks.push_back(metric.task);
  }
  std::string out = counted(std::ssize(page.runs), "run") + " \u00B7 " +
                    counted(std::ssize(tasks), "task") + " \u00B7 " +
                    counted(page.responses_stored, "response");
  if (!first.empty()) out += " \u00B7 " + first + (last == first ? "" : " to " + last);
  if (page.runs.size() > 1) {
    out += " \u00B7 reference: " + run_name(page.runs[page.reference]);
  }
  return out;
}

Html head(const Page& page) {
  const std::string policy = fmt::format(
      "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; "
      "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
      csp_digest(kReportJs), csp_digest(kReportCss));
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\""_html +
         asset(policy) +
         "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"referrer\" content=\"no-referrer\">\n"
         "<meta name=\"generator\" content=\"assay\">\n"_html +
         element("title", "", text(page.title)) + "\n<style>"_html + asset(kReportCss) +
         "</style>\n</head>\n"_html;
}

Html banner(const Page& page) {
  Html out =
      "<header class=\"top\"><span class=\"brand\">assay</span>"
      "<span id=\"theme\" class=\"theme\" hidden></span></header>\n"_html;
  out += element("h1", "", name_of(page.title)) + paragraph("dateline", dateline(page));
  for (const std::string& note : page.notes) out += paragraph("note warn", note);
  return out;
}

}  // namespace

std::string render_html(const Page& page, std::size_t max_bytes) {
  const Html before = summary_section(page) + board_section(page) + difference_section(page) +
                      speed_section(page) + numerics_section(page) + group_section(page) +
                      trend_section(page) + behaviour_section(page);
  const Html after = provenance_section(page) + method_section(page);
  const Html data = json_block(page_json(page).dump());
  const Html start = head(page);
  const std::size_t fixed = start.str().size() + before.str().size() + after.str().size() +
                            data.str().size() + kReportJs.size() + kScaleBytes;
  const std::size_t shown = items_within(page, max_bytes > fixed ? max_bytes - fixed : 0);
  const Html samples = sample_section(page, shown);
  const Html out =
      start + "<body>\n<a class=\"skip\" href=\"#main\">Skip to content</a>\n"_html + banner(page) +
      navigation(before + samples + after) + "<main id=\"main\">\n"_html + before + samples +
      after +
      "</main>\n<footer><p>Made by assay from a result store; one file, no outside "
      "reference.</p></footer>\n<script type=\"application/json\" id=\"assay-data\">"_html +
      data + "</script>\n<script type=\"application/json\" id=\"assay-items\">"_html +
      json_block(items_json(page, shown).dump()) + "</script>\n<script>"_html + asset(kReportJs) +
      "</script>\n</body></html>\n"_html;
  return out.str();
}

}  // namespace assay::reports
