// The head of the page: three answers, then one line for each run.
#include <fmt/format.h>

#include "reports/page_format.h"
#include "reports/page_html.h"
#include "reports/page_verdict.h"

namespace assay::reports {
namespace {

Html verdict_row(const Page& page, const RunVerdict& verdict) {
  const char* css = "none";
  const char* words = "No established change";
  const char* icon = "\u2248";
  if (verdict.tasks == 0) {
    css = "apart", words = "Not comparable", icon = "\u2260";
  } else if (verdict.is_worse() && verdict.is_better()) {
    css = "worse", words = "Worse and better", icon = "\u25BC";
  } else if (verdict.is_worse()) {
    css = "worse", words = "Worse", icon = "\u25BC";
  } else if (verdict.is_better()) {
    css = "better", words = "Better", icon = "\u25B2";
  }
  const Html chip =
      asset(fmt::format("<span class=\"chip {}\"><span aria-hidden=\"true\">{}</span> "
                        "{}</span>",
                        css, icon, words));
  return element("tr", "",
                 asset(fmt::format("<th scope=\"row\"><a href=\"#run-{}\">", verdict.run)) +
                     name_of(short_run_name(page, verdict.run)) + asset("</a></th>") +
                     element("td", "", chip) +
                     element("td", "why", text(verdict_words(page, verdict))));
}

}  // namespace

Html summary_section(const Page& page) {
  Html cards;
  for (const PageAnswer& answer : answers_of(page)) {
    cards +=
        element("div", "card",
                element("h3", "", text(answer.question)) +
                    element("p", "answer", name_of(answer.answer)) + paragraph("", answer.detail));
  }
  Html out = element("div", "cards", cards);
  Html rows;
  for (const RunVerdict& verdict : verdicts_of(page)) rows += verdict_row(page, verdict);
  if (!rows.empty()) {
    const std::string caption = fmt::format(
        "Each run against {}, paired by item, at 5 % after Holm's correction over its "
        "tasks{}",
        run_name(page.runs[page.reference]), page.common_tasks.size() > 1 ? " and their mean" : "");
    out += table("verdicts", text(caption),
                 asset("<th scope=\"col\">Run</th><th scope=\"col\">Verdict</th>"
                       "<th scope=\"col\">Why</th>"),
                 rows);
  }
  return section("summary", "Summary", out);
}

}  // namespace assay::reports
